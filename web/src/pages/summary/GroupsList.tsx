// What was asked for, heaviest first: request paths at L7, names in DNS.
import { useNavigate } from '@tanstack/react-router';
import { useMemo, type ReactNode } from 'react';
import { parseSort } from '../../domain/columns';
import { filterForValues } from '../../domain/filterEdit';
import type { Layer } from '../../domain/layer';
import { formatMetric, isLayerMetric, isMetric, volumeMetric } from '../../domain/metrics';
import { rowsSearch, type ViewSearch } from '../../domain/search';
import { groupColumns, groupFields } from '../../domain/tableColumns';
import { plural } from '../../domain/units';
import { ColumnSettings } from '../../parts/ColumnSettings';
import { ExportMenu, type ExportTable } from '../../parts/ExportMenu';
import { GroupsTable } from '../../parts/GroupsTable';
import { IncompleteMark } from '../../parts/IncompleteMark';
import { RailToggle } from '../../parts/ListLayout';
import { Failure, TableSkeleton } from '../../parts/States';
import { useColumnChoice, type ColumnControls } from '../../state/columnChoice';
import { fetchGroups, useGroups, type GroupRow, type GroupsAnswer } from '../../state/groups';
import { useView } from '../../state/view';
import { NoPairs } from './NoPairs';
import classes from './summary.module.css';

export interface GroupsListProps {
  layer: Layer;
  every: number;
  /** What stands in the bar besides. */
  children: ReactNode;
}

/** The metric in the address, where the layer has it; always largest first. */
function orderOf(layer: Layer, sort: string | undefined): string {
  const by = sort === undefined ? '' : parseSort(sort).by;
  return isLayerMetric(layer, by) ? by : volumeMetric[layer];
}

/** Every metric of the columns, the one that orders them first. */
function metricsFor(layer: Layer, order: string): string[] {
  const all = groupColumns[layer].map(({ id }) => id).filter(isMetric);
  return [order, ...all.filter((name) => name !== order)];
}

export function GroupsList({ layer, every, children }: GroupsListProps) {
  const { view, scope, setView } = useView();
  const navigate = useNavigate();
  const columns = useColumnChoice(`groups.${layer}`, groupColumns[layer]);
  const order = orderOf(layer, view.sort);
  const options = useMemo(
    () => ({ fields: groupFields[layer], metrics: metricsFor(layer, order) }),
    [layer, order],
  );
  const { groups, error, refetch, isPlaceholderData } = useGroups(scope, options, { every });
  const retry = () => void refetch();
  const open = (row: GroupRow) => {
    const filter = filterForValues(view.filter, row.fields);
    if (layer === 'dns') return setView({ filter, list: undefined, sort: undefined });
    const search = (previous: ViewSearch) => rowsSearch({ ...previous, filter });
    void navigate({ to: '/flows', search: search as never });
  };
  return (
    <>
      <GroupsBar layer={layer} order={order} groups={groups} columns={columns}>
        {children}
      </GroupsBar>
      {error && <Failure compact={!!groups} error={error} what="The list" onRetry={retry} />}
      {!groups && !error && <TableSkeleton />}
      {groups?.rows.length === 0 && <NoPairs />}
      {groups && groups.rows.length > 0 && (
        <GroupsTable
          label={listNames[layer]}
          answer={groups}
          columns={columns}
          order={order}
          onOrder={(metric) => setView({ sort: `-${metric}` })}
          onOpen={open}
          dimmed={isPlaceholderData}
          footer={footerText(layer, groups)}
        />
      )}
    </>
  );
}

const listNames: Record<Layer, string> = { l4: '', l7: 'Request paths', dns: 'Names' };

function footerText(layer: Layer, { rows, rest }: GroupsAnswer): string | undefined {
  if (!rest) return undefined;
  const volume = volumeMetric[layer];
  const left = `${formatMetric(volume, rest[volume])} ${layer === 'l7' ? 'requests' : 'lookups'}`;
  return `The ${rows.length} heaviest; the others had ${left} together. Narrow the filter to see them.`;
}

interface GroupsBarProps {
  layer: Layer;
  order: string;
  groups: GroupsAnswer | undefined;
  columns: ColumnControls;
  children: ReactNode;
}

function GroupsBar({ layer, order, groups, columns, children }: GroupsBarProps) {
  const { scope } = useView();
  const load = async (): Promise<ExportTable> => {
    const metrics = metricsFor(layer, order);
    const fields = groupFields[layer];
    const answer = await fetchGroups(scope, { fields, metrics });
    const rows = answer.rows.map((row) => [
      ...fields.map((name) => row.fields[name]),
      ...metrics.map((name) => row.metrics[name]),
    ]);
    return { header: [...fields, ...metrics], rows, json: answer };
  };
  return (
    <div className={classes.bar}>
      <RailToggle />
      {children}
      <div className={classes.count} aria-live="polite">
        {groups && <strong>{plural(groups.rows.length, 'row')}</strong>}
        <IncompleteMark incomplete={groups?.incomplete} />
      </div>
      <div className={classes.spacer} />
      <ColumnSettings columns={columns} />
      <ExportMenu
        what={layer === 'l7' ? 'request-paths' : 'names'}
        note="The rows shown, exact values"
        load={load}
      />
    </div>
  );
}
