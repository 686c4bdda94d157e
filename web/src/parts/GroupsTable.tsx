// A layer's work by what was asked for: request paths or names, each with its metrics. A row leads
// to what it stands for; ordering by a metric asks again, as the answer holds only the heaviest.
import type { ReactNode } from 'react';
import type { Metrics } from '../api/types';
import type { ColumnDef } from '../domain/columns';
import { isMetric } from '../domain/metrics';
import type { ColumnControls } from '../state/columnChoice';
import type { GroupRow, GroupsAnswer } from '../state/groups';
import { DataTable } from './DataTable';
import { MetricValue } from './MetricValue';
import classes from './GroupsTable.module.css';

export interface GroupsTableProps {
  label: string;
  answer: GroupsAnswer;
  columns: ColumnControls;
  /** Metrics over everything, for the line of totals; absent for none. */
  totals?: Metrics | undefined;
  /** Metric that the rows are ordered by. */
  order: string;
  onOrder: (metric: string) => void;
  onOpen: (row: GroupRow) => void;
  dimmed: boolean;
  footer?: ReactNode;
}

export function GroupsTable(props: GroupsTableProps) {
  const { answer, totals, columns, order } = props;
  const most = Math.max(0, ...answer.rows.map((row) => row.metrics[order] ?? 0));
  const firstColumn = columns.visible[0]?.id;
  const cell = (row: GroupRow, column: ColumnDef) => {
    if (!isMetric(column.id)) return <FieldCell value={row.fields[column.id]} />;
    const value = row.metrics[column.id];
    const share = column.id === order && most > 0 ? (value ?? 0) / most : undefined;
    return <MetricValue name={column.id} value={value} share={share} />;
  };
  const total = (column: ColumnDef) => {
    if (isMetric(column.id)) return <MetricValue name={column.id} value={totals?.[column.id]} />;
    return column.id === firstColumn ? 'Total' : null;
  };
  return (
    <DataTable
      label={props.label}
      columns={columns}
      rows={answer.rows}
      rowKey={(row) => row.key}
      cell={cell}
      total={totals && total}
      sort={`-${order}`}
      onSort={(column) => column.sort !== null && props.onOrder(column.sort)}
      onOpen={props.onOpen}
      dimmed={props.dimmed}
      footer={props.footer}
    />
  );
}

function FieldCell({ value }: { value: string | null | undefined }) {
  if (value === null || value === undefined || value === '') {
    return <span className={classes.absent}>not seen</span>;
  }
  return (
    <span className={classes.text} title={value}>
      {value}
    </span>
  );
}
