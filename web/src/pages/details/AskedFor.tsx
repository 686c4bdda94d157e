// What was asked for between these ends: request paths at L7, names in DNS. A row leads to the
// single requests, or to the summary of that name.
import { useNavigate } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import type { Scope } from '../../api/questions';
import type { ColumnDef } from '../../domain/columns';
import { filterForValues } from '../../domain/filterEdit';
import type { Layer } from '../../domain/layer';
import { isMetric, volumeMetric } from '../../domain/metrics';
import { searchFor, type ViewSearch } from '../../domain/search';
import { groupColumns, groupFields } from '../../domain/tableColumns';
import { plural } from '../../domain/units';
import { ColumnSettings } from '../../parts/ColumnSettings';
import { GroupsTable } from '../../parts/GroupsTable';
import { Failure } from '../../parts/States';
import { useColumnChoice } from '../../state/columnChoice';
import { useGroups, type GroupRow } from '../../state/groups';
import { useView } from '../../state/view';
import classes from './details.module.css';

/** There is less room here than in the summary. */
const shownHere = [
  'method',
  'path',
  'requests',
  'errors',
  'response_us_p95',
  'dns_name',
  'dns_type',
  'dns_queries',
  'dns_failures',
  'dns_timeouts',
  'dns_us_p95',
];

function columnsHere(layer: Layer): readonly ColumnDef[] {
  const place = ({ id }: ColumnDef) => (shownHere.includes(id) ? shownHere.indexOf(id) : Infinity);
  return groupColumns[layer]
    .map((column) => ({
      ...column,
      shown: shownHere.includes(column.id),
      width: column.grows ? 150 : column.width,
    }))
    .sort((a, b) => (place(a) < place(b) ? -1 : place(a) > place(b) ? 1 : 0));
}

const columnsOf = { l7: columnsHere('l7'), dns: columnsHere('dns') };
const titles = { l7: 'Request paths', dns: 'Names' };
const nouns = { l7: 'path', dns: 'name' };

interface AskedForProps {
  layer: 'l7' | 'dns';
  /** Narrowed to the ends. */
  scope: Scope;
}

export function AskedFor({ layer, scope }: AskedForProps) {
  const { view } = useView();
  const open = useOpenGroup(layer, scope);
  const columns = useColumnChoice(`details.${layer}`, columnsOf[layer]);
  const [order, setOrder] = useState(volumeMetric[layer]);
  const options = useMemo(() => {
    const all = groupColumns[layer].map(({ id }) => id).filter(isMetric);
    const metrics = [order, ...all.filter((name) => name !== order)];
    return { fields: groupFields[layer], metrics };
  }, [layer, order]);
  const { groups, error, refetch, isPlaceholderData } = useGroups(scope, options, {
    every: view.every,
  });
  const title = titles[layer];
  if (error && !groups) {
    return <Failure compact error={error} what={title} onRetry={() => void refetch()} />;
  }
  if (!groups || groups.rows.length === 0) return null;
  const count = plural(groups.rows.length, nouns[layer]);
  return (
    <section className={classes.section}>
      <div className={classes.headingRow}>
        <h3 className={classes.heading}>
          {title}
          <span className={classes.headingNote}>
            {groups.rest ? `the ${groups.rows.length} heaviest` : count}
          </span>
        </h3>
        <ColumnSettings columns={columns} />
      </div>
      <div className={classes.table}>
        <GroupsTable
          label={title}
          answer={groups}
          columns={columns}
          order={order}
          onOrder={setOrder}
          onOpen={open}
          dimmed={isPlaceholderData}
        />
      </div>
    </section>
  );
}

function useOpenGroup(layer: Layer, scope: Scope): (row: GroupRow) => void {
  const navigate = useNavigate();
  return (row) => {
    const filter = filterForValues(scope.filter, row.fields);
    const to = layer === 'l7' ? '/flows' : '/summary';
    const search = (previous: ViewSearch) => searchFor(to)({ ...previous, layer, filter });
    void navigate({ to, search: search as never });
  };
}
