// The pairs, drawn: ends, metrics, trend of the metric that orders the table.
import { Button } from '@mantine/core';
import { IconFilterOff, IconPlugConnectedX } from '@tabler/icons-react';
import { useCallback, useMemo } from 'react';
import type { PairRow } from '../../api/types';
import { nextSort, parseSort, type ColumnDef } from '../../domain/columns';
import { decodeDetails, encodeDetails } from '../../domain/details';
import { entityKey } from '../../domain/entity';
import { isMetric, metric, metricShape } from '../../domain/metrics';
import { plural } from '../../domain/units';
import { DataTable } from '../../parts/DataTable';
import { EntityLabel } from '../../parts/EntityLabel';
import { MetricValue } from '../../parts/MetricValue';
import { Sparkline } from '../../parts/Sparkline';
import { Empty, Failure, TableSkeleton } from '../../parts/States';
import type { ColumnControls } from '../../state/columnChoice';
import { useStatus, type useSummary } from '../../state/queries';
import { usePairTrends } from '../../state/trends';
import { useView } from '../../state/view';

export interface PairsTableProps {
  summary: ReturnType<typeof useSummary>;
  sort: string;
  columns: ColumnControls;
}

function pairKey(row: PairRow): string {
  return `${entityKey(row.client)}|${entityKey(row.server)}`;
}

function detailsOf(row: PairRow): string {
  return encodeDetails({ kind: 'pair', client: row.client, server: row.server });
}

/** A pair that did not talk then has totals of 0, and no means at all. */
function before(row: PairRow, name: string): number | null {
  if (row.previous) return row.previous[name] ?? null;
  return metricShape(name) === 'mean' ? null : 0;
}

/** Totals get a bar for their share of the largest; a mean has no share of anything. */
function largestOf(rows: readonly PairRow[], columns: readonly ColumnDef[]): Map<string, number> {
  const largest = new Map<string, number>();
  for (const { id } of columns) {
    if (!isMetric(id) || metric(id).unit !== 'bytes' || metricShape(id) !== 'total') continue;
    largest.set(
      id,
      rows.reduce((max, row) => Math.max(max, row.metrics[id] ?? 0), 0),
    );
  }
  return largest;
}

export function PairsTable({ summary, sort, columns }: PairsTableProps) {
  const { view, setView } = useView();
  const pages = summary.data?.pages;
  const rows = useMemo(() => pages?.flatMap((page) => page.rows) ?? [], [pages]);
  const largest = useMemo(() => largestOf(rows, columns.visible), [rows, columns.visible]);
  const showsTrend = columns.visible.some((column) => column.id === 'trend');
  const trendMetric = isMetric(parseSort(sort).by) ? parseSort(sort).by : 'bytes_sent';
  const trends = usePairTrends(trendMetric, showsTrend && rows.length > 0);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = summary;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);

  if (summary.error && !summary.data) {
    return (
      <Failure error={summary.error} what="The paths" onRetry={() => void summary.refetch()} />
    );
  }
  if (!pages) return <TableSkeleton />;
  const first = pages[0];
  if (rows.length === 0) return <NoPairs />;

  const compared = view.compare === 'previous';
  const cell = (row: PairRow, column: ColumnDef) => {
    if (column.id === 'client' || column.id === 'server')
      return <EntityLabel entity={row[column.id]} />;
    if (column.id === 'trend')
      return <Sparkline metric={trendMetric} trend={trends(pairKey(row))} />;
    const value = row.metrics[column.id];
    const most = largest.get(column.id);
    return (
      <MetricValue
        name={column.id}
        value={value}
        share={most ? (value ?? 0) / most : undefined}
        before={compared ? before(row, column.id) : undefined}
      />
    );
  };
  const total = (column: ColumnDef) => {
    if (column.id === 'client') return 'Total';
    if (!isMetric(column.id)) return null;
    return (
      <MetricValue
        name={column.id}
        value={first?.totals[column.id]}
        before={compared ? first?.previous_totals?.[column.id] : undefined}
      />
    );
  };
  const open = view.details ? decodeDetails(view.details) : null;
  const left = (first?.total ?? 0) - rows.length;
  return (
    <>
      {summary.error && (
        <Failure
          compact
          error={summary.error}
          what="Newer values"
          onRetry={() => void summary.refetch()}
        />
      )}
      <DataTable
        label="Network paths"
        columns={columns}
        rows={rows}
        rowKey={pairKey}
        cell={cell}
        total={total}
        sort={sort}
        onSort={(column) => setView({ sort: nextSort(sort, column) })}
        onOpen={(row) => setView({ details: detailsOf(row) })}
        selected={
          open?.kind === 'pair' ? `${entityKey(open.client)}|${entityKey(open.server)}` : undefined
        }
        onEnd={onEnd}
        dimmed={summary.isPlaceholderData}
        footer={
          left > 0
            ? `${plural(rows.length, 'path')} shown of ${first?.total}; scroll for more`
            : undefined
        }
      />
    </>
  );
}

function NoPairs() {
  const { view, setView } = useView();
  const agents = useStatus().data?.agents.length;
  if (view.filter !== '') {
    return (
      <Empty
        icon={IconFilterOff}
        title="Nothing matches the filter"
        action={
          <Button variant="default" onClick={() => setView({ filter: undefined })}>
            Clear the filter
          </Button>
        }
      >
        No conversation of this time matches it. Widen the time, or take a condition away.
      </Empty>
    );
  }
  if (agents === 0) {
    return (
      <Empty icon={IconPlugConnectedX} title="No agent has sent anything yet">
        Start one with <code>weir agent --server URL --token-file FILE</code> on the host to be
        watched. The first numbers come at the end of its first window, 10 seconds later.
      </Empty>
    );
  }
  return (
    <Empty
      icon={IconPlugConnectedX}
      title="Nothing was observed in this time"
      action={
        <Button variant="default" onClick={() => setView({ from: 'now-1h', to: undefined })}>
          Show the last hour
        </Button>
      }
    >
      Numbers arrive at the end of each window of 10 seconds. Make some traffic, or widen the time.
    </Empty>
  );
}
