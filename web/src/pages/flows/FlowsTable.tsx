// The flow rows: newest first, more as one scrolls, each opening to everything known about it.
import { Button } from '@mantine/core';
import {
  IconArrowDownLeft,
  IconArrowUpRight,
  IconFilterOff,
  IconQuestionMark,
  IconTimelineEventX,
} from '@tabler/icons-react';
import { useCallback } from 'react';
import type { FlowRow } from '../../api/types';
import type { ColumnDef } from '../../domain/columns';
import type { Level } from '../../domain/entity';
import { flowEnds, flowKey, flowNumber, type FlowEnd, type FlowFields } from '../../domain/flow';
import { isMetric } from '../../domain/metrics';
import { formatMoment, formatMomentExact } from '../../domain/time';
import { DataTable } from '../../parts/DataTable';
import { EntityLabel } from '../../parts/EntityLabel';
import { MetricValue } from '../../parts/MetricValue';
import { Empty, Failure, TableSkeleton } from '../../parts/States';
import type { ColumnControls } from '../../state/columnChoice';
import type { useFlows } from '../../state/queries';
import { useView } from '../../state/view';
import { FlowDetails } from './FlowDetails';
import classes from './flows.module.css';

interface FlowsTableProps {
  flows: ReturnType<typeof useFlows>;
  rows: readonly FlowRow[];
  columns: ColumnControls;
  opened: ReadonlySet<string>;
  onToggle: (key: string) => void;
  onAtTop: (atTop: boolean) => void;
}

export function FlowsTable({ flows, rows, columns, opened, onToggle, onAtTop }: FlowsTableProps) {
  const { level } = useView().view;
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = flows;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);

  if (flows.error && !flows.data) {
    return <Failure error={flows.error} what="The flows" onRetry={() => void flows.refetch()} />;
  }
  if (!flows.data) return <TableSkeleton />;
  if (rows.length === 0) return <NoFlows />;
  return (
    <>
      {flows.error && (
        <Failure
          compact
          error={flows.error}
          what="Newer rows"
          onRetry={() => void flows.refetch()}
        />
      )}
      <DataTable
        label="Network flows"
        columns={columns}
        rows={rows}
        rowKey={flowKey}
        cell={(row, column) => flowCell(row, column, level)}
        onOpen={(row) => onToggle(flowKey(row))}
        expanded={{ keys: opened, render: (row) => <FlowDetails row={row} /> }}
        onEnd={onEnd}
        onAtTop={onAtTop}
        dimmed={flows.isPlaceholderData}
        footer={
          isFetchingNextPage
            ? 'Loading older rows…'
            : hasNextPage
              ? undefined
              : 'These are all rows of this time.'
        }
      />
    </>
  );
}

function flowCell(row: FlowFields, column: ColumnDef, level: Level) {
  if (column.id === 'time') return <TimeCell row={row} />;
  if (column.id === 'client' || column.id === 'server')
    return <EndCell end={flowEnds(row, level)[column.id]} />;
  if (column.id === 'direction')
    return <DirectionCell direction={String(row['direction'] ?? 'unknown')} />;
  if (column.numeric) {
    return isMetric(column.id) ? (
      <MetricValue name={column.id} value={flowNumber(row, column.id)} />
    ) : (
      <span>{row[column.id] ?? '–'}</span>
    );
  }
  const value = row[column.id];
  return value === null || value === undefined ? (
    <span className={classes.absent}>–</span>
  ) : (
    <span className={classes.text}>{value}</span>
  );
}

function TimeCell({ row }: { row: FlowFields }) {
  const ms = row['window_start_ms'];
  if (typeof ms !== 'number') return null;
  return (
    <time dateTime={new Date(ms).toISOString()} title={formatMomentExact(ms)}>
      {formatMoment(ms)}
    </time>
  );
}

function EndCell({ end }: { end: FlowEnd }) {
  const { entity, address } = end;
  // An end that is known by its address alone is named by it: only the port is left to say.
  const rest = address.startsWith(entity.name) ? address.slice(entity.name.length) : address;
  return (
    <span className={classes.end} data-joined={rest.startsWith(':') || undefined}>
      <EntityLabel entity={entity} qualified={false} />
      {rest !== '' && <span className={classes.address}>{rest}</span>}
    </span>
  );
}

function DirectionCell({ direction }: { direction: string }) {
  const Arrow =
    direction === 'incoming'
      ? IconArrowDownLeft
      : direction === 'outgoing'
        ? IconArrowUpRight
        : IconQuestionMark;
  return (
    <span className={classes.direction}>
      <Arrow size={13} stroke={1.7} aria-hidden />
      {direction}
    </span>
  );
}

function NoFlows() {
  const { view, setView } = useView();
  const filtered = view.filter !== '';
  return (
    <Empty
      icon={filtered ? IconFilterOff : IconTimelineEventX}
      title={filtered ? 'No flow matches the filter' : 'No flows in this time'}
      action={
        <Button
          variant="default"
          onClick={() =>
            setView(filtered ? { filter: undefined } : { from: 'now-1h', to: undefined })
          }
        >
          {filtered ? 'Clear the filter' : 'Show the last hour'}
        </Button>
      }
    >
      {filtered
        ? 'Widen the time, or take a condition away.'
        : 'Rows arrive at the end of each window of 10 seconds. Make some traffic, or widen the time.'}
    </Empty>
  );
}
