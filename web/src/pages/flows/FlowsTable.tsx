// Flows or requests: newest first, more as one scrolls, each opening to everything known about it.
import { IconArrowDownLeft, IconArrowUpRight, IconQuestionMark } from '@tabler/icons-react';
import { useCallback, useMemo } from 'react';
import type { FlowRow } from '../../api/types';
import type { ColumnDef } from '../../domain/columns';
import type { Level } from '../../domain/entity';
import {
  flowEnds,
  flowKeys,
  flowNumber,
  flowTimeMs,
  formatTime,
  type FlowEnd,
  type FlowFields,
} from '../../domain/flow';
import type { Layer } from '../../domain/layer';
import { isMetric } from '../../domain/metrics';
import type { RequestEnd } from '../../domain/status';
import { formatMomentExact } from '../../domain/time';
import { DataTable } from '../../parts/DataTable';
import { EntityLabel } from '../../parts/EntityLabel';
import { MetricValue } from '../../parts/MetricValue';
import { Failure, TableSkeleton } from '../../parts/States';
import { StatusMark } from '../../parts/StatusMark';
import type { ColumnControls } from '../../state/columnChoice';
import type { useFlows } from '../../state/queries';
import { useView } from '../../state/view';
import { FlowDetails } from './FlowDetails';
import { NoFlows } from './NoFlows';
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
  const { level, layer } = useView().view;
  const keys = useMemo(() => {
    const all = flowKeys(layer, rows);
    return new Map(rows.map((row, index) => [row, all[index] ?? '']));
  }, [layer, rows]);
  const keyOf = (row: FlowRow) => keys.get(row) ?? '';
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = flows;
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);

  if (flows.error && !flows.data) {
    const what = layer === 'l7' ? 'The requests' : 'The flows';
    return <Failure error={flows.error} what={what} onRetry={() => void flows.refetch()} />;
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
        label={layer === 'l7' ? 'Requests' : 'Network flows'}
        columns={columns}
        rows={rows}
        rowKey={keyOf}
        cell={(row, column) => flowCell(row, column, level, layer)}
        onOpen={(row) => onToggle(keyOf(row))}
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

function flowCell(row: FlowFields, column: ColumnDef, level: Level, layer: Layer) {
  if (column.id === 'time') return <TimeCell row={row} layer={layer} />;
  if (layer === 'l7' && column.id === 'status') return <StatusMark end={endOf(row)} />;
  if (column.id === 'client' || column.id === 'server')
    return <EndCell end={endCell(row, level, layer, column.id)} />;
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
    <span className={classes.text} title={String(value)}>
      {value}
    </span>
  );
}

/** Who asked whom is told by name at L7: of the addresses only the server's port says more. */
function endCell(row: FlowFields, level: Level, layer: Layer, side: 'client' | 'server'): FlowEnd {
  const end = flowEnds(row, level)[side];
  if (layer === 'l4') return end;
  const port = side === 'server' ? flowNumber(row, 'server_port') : null;
  return { ...end, address: port === null ? end.entity.name : `${end.entity.name}:${port}` };
}

function endOf(row: FlowFields): RequestEnd {
  const outcome = row['outcome'];
  return {
    status: flowNumber(row, 'status'),
    grpcStatus: flowNumber(row, 'grpc_status'),
    outcome: typeof outcome === 'string' ? outcome : null,
  };
}

function TimeCell({ row, layer }: { row: FlowFields; layer: Layer }) {
  const ms = flowTimeMs(layer, row);
  if (ms === null) return null;
  return (
    <time dateTime={new Date(ms).toISOString()} title={formatMomentExact(ms)}>
      {formatTime(layer, ms)}
    </time>
  );
}

function EndCell({ end }: { end: FlowEnd }) {
  const { entity, address } = end;
  // An end that is known by its address alone is named by it: only the port is left to say.
  const rest = address.startsWith(entity.name) ? address.slice(entity.name.length) : address;
  return (
    <span className={classes.end} data-joined={rest.startsWith(':') || undefined}>
      <EntityLabel entity={entity} qualified={Boolean(entity.namespace)} />
      {rest !== '' && (
        <span className={classes.address} title={address}>
          {rest}
        </span>
      )}
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
