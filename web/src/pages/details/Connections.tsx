// Network connection analysis: the other ends by address and port, or by address alone.
import { SegmentedControl } from '@mantine/core';
import { useNavigate } from '@tanstack/react-router';
import type { ConnectionRow, ConnectionsAnswer } from '../../api/types';
import type { ColumnDef } from '../../domain/columns';
import { addressText } from '../../domain/flow';
import type { Layer } from '../../domain/layer';
import { isMetric } from '../../domain/metrics';
import { rowsSearch } from '../../domain/search';
import { connectionColumns } from '../../domain/tableColumns';
import { plural } from '../../domain/units';
import { ColumnSettings } from '../../parts/ColumnSettings';
import { DataTable } from '../../parts/DataTable';
import { ExportMenu, type ExportTable } from '../../parts/ExportMenu';
import { MetricValue } from '../../parts/MetricValue';
import { useColumnChoice } from '../../state/columnChoice';
import { useView } from '../../state/view';
import classes from './details.module.css';

/** What the API is asked for. */
export function connectionMetrics(layer: Layer): string[] {
  return connectionColumns[layer].map((column) => column.id).filter(isMetric);
}

function remote(row: ConnectionRow): string {
  return addressText(row.ip, row.port);
}

function rowKey(row: ConnectionRow): string {
  return `${row.direction}-${row.transport ?? ''}-${remote(row)}`;
}

function textOf(row: ConnectionRow, id: string): string | null {
  if (id === 'remote') return remote(row);
  if (id === 'direction') return row.direction;
  return row.transport ?? null;
}

interface ConnectionsProps {
  layer: Layer;
  answer: ConnectionsAnswer;
  dimmed: boolean;
}

export function Connections({ layer, answer, dimmed }: ConnectionsProps) {
  const { view } = useView();
  const navigate = useNavigate();
  const columns = useColumnChoice(
    layer === 'l4' ? 'connections' : `connections.${layer}`,
    connectionColumns[layer],
  );
  const openFlows = (row: ConnectionRow) =>
    void navigate({
      to: '/flows',
      search: rowsSearch({
        from: view.from,
        to: view.to,
        level: view.level,
        layer,
        filter: row.filter,
      }),
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
          <span className={classes.headingNote}>{leftNote(answer.rows.length, answer.left)}</span>
        </h3>
        <RowsSwitch />
        <ColumnSettings columns={columns} />
        <ExportMenu
          what="connections"
          note="The rows shown, exact values"
          load={() => Promise.resolve(exported(layer, answer))}
        />
      </div>
      {answer.rows.length === 0 ? (
        <p className={classes.muted}>No connections in this time.</p>
      ) : (
        <div className={classes.table}>
          <DataTable
            label="Connections"
            columns={columns}
            rows={answer.rows}
            rowKey={rowKey}
            cell={cell}
            onOpen={openFlows}
            dimmed={dimmed}
          />
        </div>
      )}
    </section>
  );
}

function RowsSwitch() {
  const { view, setView } = useView();
  return (
    <SegmentedControl
      aria-label="Rows of connections"
      value={view.by ?? 'ip_port'}
      onChange={(value) => setView({ by: value === 'ip' ? 'ip' : undefined }, { replace: true })}
      data={[
        { value: 'ip_port', label: 'IP and port' },
        { value: 'ip', label: 'IP' },
      ]}
    />
  );
}

function exported(layer: Layer, answer: ConnectionsAnswer): ExportTable {
  const header = ['direction', 'remote', 'transport', ...connectionMetrics(layer)];
  const rows = answer.rows.map((row) =>
    header.map((id) => (isMetric(id) ? row.metrics[id] : textOf(row, id))),
  );
  return { header, rows, json: answer };
}

function leftNote(shown: number, left: number): string {
  return left > 0 ? `${shown} heaviest, ${plural(left, 'more')} left out` : plural(shown, 'row');
}
