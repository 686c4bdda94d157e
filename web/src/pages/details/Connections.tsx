// Network connection analysis: the other ends by address and port, or by address alone.
import { SegmentedControl, Skeleton } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import { useMemo } from 'react';
import type { ConnectionRow } from '../../api/types';
import { connectionColumns, type ColumnDef } from '../../domain/columns';
import { encodeDetails, type Details } from '../../domain/details';
import { isMetric } from '../../domain/metrics';
import type { ConnectionsBy } from '../../domain/search';
import { plural } from '../../domain/units';
import { ColumnSettings } from '../../parts/ColumnSettings';
import { DataTable } from '../../parts/DataTable';
import { ExportMenu } from '../../parts/ExportMenu';
import { MetricValue } from '../../parts/MetricValue';
import { Failure } from '../../parts/States';
import { useColumnChoice } from '../../state/columnChoice';
import { useConnections } from '../../state/queries';
import { useView } from '../../state/view';
import classes from './details.module.css';

const metrics = connectionColumns.map((column) => column.id).filter(isMetric);

function remote(row: ConnectionRow): string {
  const host = row.ip.includes(':') && row.port !== null ? `[${row.ip}]` : row.ip;
  return row.port === null ? host : `${host}:${row.port}`;
}

function rowKey(row: ConnectionRow): string {
  return `${row.direction}-${row.transport ?? ''}-${remote(row)}`;
}

function textOf(row: ConnectionRow, id: string): string | null {
  if (id === 'remote') return remote(row);
  if (id === 'direction') return row.direction;
  return row.transport;
}

export function Connections({ details }: { details: Details }) {
  const { scope, view, setView } = useView();
  const navigate = useNavigate();
  const columns = useColumnChoice('connections', connectionColumns);
  const by: ConnectionsBy = view.by ?? 'ip_port';
  const options = useMemo(() => ({ ...ends(details), by, metrics }), [details, by]);
  const connections = useConnections(scope, options);
  const { data, error } = connections;

  const openFlows = (row: ConnectionRow) =>
    void navigate({
      to: '/flows',
      search: { from: view.from, to: view.to, level: view.level, filter: row.filter },
    });
  const cell = (row: ConnectionRow, column: ColumnDef) =>
    isMetric(column.id) ? (
      <MetricValue name={column.id} value={row.metrics[column.id]} />
    ) : (
      textOf(row, column.id)
    );
  return (
    <section className={classes.section}>
      <div className={classes.headingRow}>
        <h3 className={classes.heading}>
          Connections
          {data && <span className={classes.headingNote}>{leftNote(data.rows.length, data.left)}</span>}
        </h3>
        <SegmentedControl
          aria-label="Rows of connections"
          value={by}
          onChange={(value) => setView({ by: value === 'ip' ? 'ip' : undefined }, { replace: true })}
          data={[
            { value: 'ip_port', label: 'IP and port' },
            { value: 'ip', label: 'IP' },
          ]}
        />
        <ColumnSettings columns={columns} />
        <ExportMenu
          what="connections"
          note="The rows shown, exact values"
          load={() => {
            const rows = data?.rows ?? [];
            const header = ['direction', 'remote', 'transport', ...metrics];
            const cells = rows.map((row) => header.map((id) => (isMetric(id) ? row.metrics[id] : textOf(row, id))));
            return Promise.resolve({ header, rows: cells, json: data });
          }}
        />
      </div>
      {error && !data && (
        <Failure compact error={error} what="The connections" onRetry={() => void connections.refetch()} />
      )}
      {!data && !error && <Skeleton height={160} radius="md" />}
      {data && data.rows.length === 0 && <p className={classes.muted}>No connections in this time.</p>}
      {data && data.rows.length > 0 && (
        <div className={classes.table}>
          <DataTable
            label="Connections"
            columns={columns}
            rows={data.rows}
            rowKey={rowKey}
            cell={cell}
            onOpen={openFlows}
            dimmed={connections.isPlaceholderData}
          />
        </div>
      )}
    </section>
  );
}

function leftNote(shown: number, left: number): string {
  return left > 0 ? `${shown} heaviest, ${plural(left, 'more')} left out` : plural(shown, 'row');
}

function ends(details: Details): { client?: string; server?: string; entity?: string } {
  const key = (ref: { kind: 'entity'; entity: (Details & { kind: 'entity' })['entity'] }) => encodeDetails(ref);
  if (details.kind === 'entity') return { entity: key(details) };
  return {
    client: key({ kind: 'entity', entity: details.client }),
    server: key({ kind: 'entity', entity: details.server }),
  };
}
