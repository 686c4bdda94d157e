// The line above the pairs: how many there are, and what can be done with them.
import { Button, Switch } from '@mantine/core';
import { IconTimeline } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { fetchSummary } from '../../api/questions';
import { isMetric } from '../../domain/metrics';
import { rowsSearch } from '../../domain/search';
import { plural } from '../../domain/units';
import { ColumnSettings } from '../../parts/ColumnSettings';
import { ExportMenu, type ExportTable } from '../../parts/ExportMenu';
import { IncompleteMark } from '../../parts/IncompleteMark';
import { RailToggle } from '../../parts/ListLayout';
import type { ColumnControls } from '../../state/columnChoice';
import type { useSummary } from '../../state/queries';
import { useView } from '../../state/view';
import classes from './summary.module.css';

/** Pairs in one exported file. */
const exportRowsMax = 10_000;

export interface SummaryBarProps {
  summary: ReturnType<typeof useSummary>;
  sort: string;
  columns: ColumnControls;
  children: ReactNode;
}

export function SummaryBar({ summary, sort, columns, children }: SummaryBarProps) {
  const { view, scope, setView } = useView();
  const pages = summary.data?.pages ?? [];
  const first = pages[0];
  const load = async (): Promise<ExportTable> => {
    const metrics = columns.visible.map((column) => column.id).filter(isMetric);
    const answer = await fetchSummary(scope, { metrics, sort, limit: exportRowsMax, offset: 0 });
    const rows = answer.rows.map(({ client, server, metrics: values }) => [
      client.kind,
      client.id,
      server.kind,
      server.id,
      ...metrics.map((name) => values[name]),
    ]);
    return {
      header: ['client_kind', 'client', 'server_kind', 'server', ...metrics],
      rows,
      json: answer,
    };
  };
  return (
    <div className={classes.bar}>
      <RailToggle />
      {children}
      <div className={classes.count} aria-live="polite">
        {first && <strong>{plural(first.total, view.layer === 'l4' ? 'path' : 'pair')}</strong>}
        <IncompleteMark incomplete={first?.incomplete} />
      </div>
      <div className={classes.spacer} />
      <Switch
        size="xs"
        label="Compare with the period before"
        checked={view.compare === 'previous'}
        onChange={(event) =>
          setView({ compare: event.currentTarget.checked ? 'previous' : undefined })
        }
      />
      <Button
        component={Link}
        to="/flows"
        search={rowsSearch as never}
        variant="default"
        size="xs"
        leftSection={<IconTimeline size={14} stroke={1.7} />}
      >
        {view.layer === 'l7' ? 'View single requests' : 'View network flow data'}
      </Button>
      <ColumnSettings columns={columns} />
      <ExportMenu
        what="summary"
        note={`Up to ${exportRowsMax.toLocaleString('en-US')} paths, exact values`}
        load={load}
      />
    </div>
  );
}
