// The pairs, drawn: ends, metrics, trend of the metric that orders the table.
import { useCallback, useMemo } from 'react';
import type { PairRow, SummaryAnswer } from '../../api/types';
import { nextSort, parseSort, type ColumnDef } from '../../domain/columns';
import { decodeDetails, encodeDetails, type EntityRef } from '../../domain/details';
import { entityKey } from '../../domain/entity';
import { isMetric, metric, metricShape, volumeMetric } from '../../domain/metrics';
import { plural } from '../../domain/units';
import { DataTable } from '../../parts/DataTable';
import { EntityLabel } from '../../parts/EntityLabel';
import { MetricValue } from '../../parts/MetricValue';
import { Sparkline } from '../../parts/Sparkline';
import { Failure, TableSkeleton } from '../../parts/States';
import type { ColumnControls } from '../../state/columnChoice';
import type { useSummary } from '../../state/queries';
import { usePairTrends } from '../../state/trends';
import { useView } from '../../state/view';
import { NoPairs } from './NoPairs';

export interface PairsTableProps {
  summary: ReturnType<typeof useSummary>;
  sort: string;
  columns: ColumnControls;
}

function pairKey({ client, server }: { client: EntityRef; server: EntityRef }): string {
  return `${entityKey(client)}|${entityKey(server)}`;
}

function detailsOf(row: PairRow): string {
  return encodeDetails({ kind: 'pair', client: row.client, server: row.server });
}

/** A pair that did not talk then has totals of 0, and no means at all. */
function before(row: PairRow, name: string): number | null {
  if (row.previous) return row.previous[name] ?? null;
  return metricShape(name) === 'mean' ? null : 0;
}

/** What there is much or little of gets a bar for its share of the largest. */
const hasBar = (id: string) =>
  isMetric(id) && (metric(id).unit === 'bytes' || Object.values(volumeMetric).includes(id));

function largestOf(rows: readonly PairRow[], columns: readonly ColumnDef[]): Map<string, number> {
  const largest = new Map<string, number>();
  for (const { id } of columns) {
    if (!hasBar(id)) continue;
    largest.set(
      id,
      rows.reduce((max, row) => Math.max(max, row.metrics[id] ?? 0), 0),
    );
  }
  return largest;
}

export function PairsTable({ summary, sort, columns }: PairsTableProps) {
  const { data, error } = summary;
  const retry = () => void summary.refetch();
  if (error && !data) return <Failure error={error} what="The paths" onRetry={retry} />;
  if (!data) return <TableSkeleton />;
  if (data.pages[0]?.total === 0) return <NoPairs />;
  return (
    <>
      {error && <Failure compact error={error} what="Newer values" onRetry={retry} />}
      <Pairs summary={summary} pages={data.pages} sort={sort} columns={columns} />
    </>
  );
}

function Pairs({
  summary,
  pages,
  sort,
  columns,
}: PairsTableProps & { pages: readonly SummaryAnswer[] }) {
  const { view, setView } = useView();
  const rows = useMemo(() => pages.flatMap((page) => page.rows), [pages]);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = summary;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const cell = usePairCell(rows, sort, columns);
  const first = pages[0];
  const open = view.details ? decodeDetails(view.details) : null;
  const left = (first?.total ?? 0) - rows.length;
  return (
    <DataTable
      label="Network paths"
      columns={columns}
      rows={rows}
      rowKey={pairKey}
      cell={cell}
      total={(column) => first && <TotalCell answer={first} column={column} />}
      sort={sort}
      onSort={(column) => setView({ sort: nextSort(sort, column) })}
      onOpen={(row) => setView({ details: detailsOf(row) })}
      selected={open?.kind === 'pair' ? pairKey(open) : undefined}
      onEnd={onEnd}
      dimmed={summary.isPlaceholderData}
      footer={
        left > 0 &&
        `${plural(rows.length, view.layer === 'l4' ? 'path' : 'pair')} shown of ${first?.total}; scroll for more`
      }
    />
  );
}

function usePairCell(rows: readonly PairRow[], sort: string, columns: ColumnControls) {
  const { view } = useView();
  const isCompared = view.compare === 'previous';
  const largest = useMemo(() => largestOf(rows, columns.visible), [rows, columns.visible]);
  const showsTrend = columns.visible.some((column) => column.id === 'trend');
  const trendMetric = isMetric(parseSort(sort).by) ? parseSort(sort).by : volumeMetric[view.layer];
  const trends = usePairTrends(trendMetric, showsTrend && rows.length > 0);
  return (row: PairRow, column: ColumnDef) => {
    if (column.id === 'client') return <EntityLabel entity={row.client} />;
    if (column.id === 'server') return <EntityLabel entity={row.server} />;
    if (column.id === 'trend') {
      return <Sparkline metric={trendMetric} trend={trends(pairKey(row))} />;
    }
    const value = row.metrics[column.id];
    const most = largest.get(column.id);
    return (
      <MetricValue
        name={column.id}
        value={value}
        share={most ? (value ?? 0) / most : undefined}
        before={isCompared ? before(row, column.id) : undefined}
      />
    );
  };
}

function TotalCell({ answer, column }: { answer: SummaryAnswer; column: ColumnDef }) {
  if (column.id === 'client') return 'Total';
  if (!isMetric(column.id)) return null;
  return (
    <MetricValue
      name={column.id}
      value={answer.totals[column.id]}
      before={answer.previous_totals?.[column.id]}
    />
  );
}
