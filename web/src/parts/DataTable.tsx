// The table of every list: sticky header and totals, virtual rows, keyboard rows, columns that can
// be resized and moved. Ordering, filtering and paging are the server's; this draws what it is given.
import { useVirtualizer, type Virtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';
import type { ColumnDef } from '../domain/columns';
import type { ColumnControls } from '../state/columnChoice';
import { HeaderCell } from './HeaderCell';
import classes from './DataTable.module.css';

const rowHeight = 32;
/** From this many rows before the end on, more are asked for. */
const rowsAhead = 20;

export interface DataTableProps<Row> {
  label: string;
  columns: ColumnControls;
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  cell: (row: Row, column: ColumnDef) => ReactNode;
  /** The line under the header; absent for no totals. */
  total?: ((column: ColumnDef) => ReactNode) | undefined;
  sort?: string | undefined;
  onSort?: ((column: ColumnDef) => void) | undefined;
  onOpen: (row: Row) => void;
  /** Key of the row that is open beside the table. */
  selected?: string | undefined;
  /** Drawn under an opened row. */
  expanded?: { keys: ReadonlySet<string>; render: (row: Row) => ReactNode } | undefined;
  onEnd?: (() => void) | undefined;
  /** Told when the reader leaves or returns to the top. */
  onAtTop?: ((atTop: boolean) => void) | undefined;
  dimmed?: boolean;
  footer?: ReactNode;
}

function template(columns: readonly ColumnDef[], widths: Record<string, number>): string {
  return columns
    .map((column) => {
      const chosen = widths[column.id];
      if (chosen !== undefined) return `${chosen}px`;
      return column.grows ? `minmax(${column.width}px, 1fr)` : `${column.width}px`;
    })
    .concat('minmax(0, 0.0001fr)')
    .join(' ');
}

function totalWidth(columns: readonly ColumnDef[], widths: Record<string, number>): number {
  return columns.reduce((sum, column) => sum + (widths[column.id] ?? column.width), 0);
}

/** Columns as they are laid out now. */
interface Layout {
  grid: string;
  minWidth: number;
}

export function DataTable<Row>(props: DataTableProps<Row>) {
  const { columns, rows, rowKey, onEnd, onAtTop } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => rowKey(rows[index] as Row),
    overscan: 12,
    scrollPaddingStart: rowHeight * (props.total ? 2 : 1),
  });
  const { active, setActive, onKeyDown } = useRowKeys(props, virtual);
  const last = virtual.getVirtualItems().at(-1)?.index ?? -1;
  useEffect(() => {
    if (last >= rows.length - rowsAhead && rows.length > 0) onEnd?.();
  }, [last, rows.length, onEnd]);

  const layout: Layout = {
    grid: template(columns.visible, columns.widths),
    minWidth: totalWidth(columns.visible, columns.widths),
  };
  const activeRow = rows[active];
  return (
    <div
      ref={scroller}
      className={classes.scroller}
      data-dimmed={props.dimmed || undefined}
      tabIndex={0}
      role="grid"
      aria-label={props.label}
      aria-rowcount={rows.length}
      aria-colcount={columns.visible.length}
      aria-activedescendant={activeRow ? `row-${rowKey(activeRow)}` : undefined}
      onKeyDown={onKeyDown}
      onFocus={(event) => {
        if (event.target === event.currentTarget && active < 0 && rows.length > 0) setActive(0);
      }}
      onScroll={(event) => onAtTop?.(event.currentTarget.scrollTop < rowHeight)}
    >
      <TableHead table={props} layout={layout} />
      <div
        style={{ height: virtual.getTotalSize(), minWidth: layout.minWidth }}
        className={classes.body}
      >
        {virtual.getVirtualItems().map((item) => (
          <div
            key={item.key}
            ref={virtual.measureElement}
            data-index={item.index}
            className={classes.slot}
            style={{ transform: `translateY(${item.start}px)` }}
          >
            <TableRow
              table={props}
              layout={layout}
              index={item.index}
              isActive={item.index === active}
              onActive={() => setActive(item.index)}
            />
          </div>
        ))}
      </div>
      {props.footer && <div className={classes.footer}>{props.footer}</div>}
    </div>
  );
}

/** The row that the keyboard is at; it moves, pages and opens. */
function useRowKeys<Row>(
  { rows, onOpen }: DataTableProps<Row>,
  virtual: Virtualizer<HTMLDivElement, Element>,
) {
  const [active, setActive] = useState(-1);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return;
    const page = Math.max(1, Math.floor((virtual.scrollRect?.height ?? 0) / rowHeight) - 3);
    const moves: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: rows.length - 1,
    };
    const to = moves[event.key];
    const row = rows[active];
    if (to !== undefined) {
      const next = Math.max(0, Math.min(rows.length - 1, to));
      setActive(next);
      virtual.scrollToIndex(next);
    } else if ((event.key === 'Enter' || event.key === ' ') && row) {
      onOpen(row);
    } else {
      return;
    }
    event.preventDefault();
  };
  return { active, setActive, onKeyDown };
}

function TableHead<Row>({ table, layout }: { table: DataTableProps<Row>; layout: Layout }) {
  const { columns, sort, onSort, total } = table;
  const style = { gridTemplateColumns: layout.grid };
  return (
    <div className={classes.head} style={{ minWidth: layout.minWidth }}>
      <div className={classes.headRow} role="row" style={style}>
        {columns.visible.map((column) => (
          <HeaderCell
            key={column.id}
            column={column}
            controls={columns}
            sort={sort}
            onSort={onSort}
          />
        ))}
      </div>
      {total && (
        <div className={classes.totalRow} role="row" style={style}>
          {columns.visible.map((column) => (
            <Cell key={column.id} column={column}>
              {total(column)}
            </Cell>
          ))}
        </div>
      )}
    </div>
  );
}

interface TableRowProps<Row> {
  table: DataTableProps<Row>;
  layout: Layout;
  index: number;
  isActive: boolean;
  onActive: () => void;
}

function TableRow<Row>({ table, layout, index, isActive, onActive }: TableRowProps<Row>) {
  const { columns, rowKey, expanded, selected } = table;
  const row = table.rows[index];
  if (row === undefined) return null;
  const key = rowKey(row);
  const isExpanded = expanded?.keys.has(key) ?? false;
  return (
    <>
      <div
        id={`row-${key}`}
        role="row"
        aria-rowindex={index + 1}
        aria-selected={selected === key}
        aria-expanded={expanded ? isExpanded : undefined}
        className={classes.row}
        data-active={isActive || undefined}
        style={{ gridTemplateColumns: layout.grid }}
        onClick={() => {
          onActive();
          table.onOpen(row);
        }}
      >
        {columns.visible.map((column) => (
          <Cell key={column.id} column={column}>
            {table.cell(row, column)}
          </Cell>
        ))}
      </div>
      {isExpanded && expanded?.render(row)}
    </>
  );
}

function Cell({ column, children }: { column: ColumnDef; children: ReactNode }) {
  return (
    <div
      role="gridcell"
      className={classes.cell}
      data-column={column.id}
      data-numeric={column.numeric || undefined}
    >
      {children}
    </div>
  );
}
