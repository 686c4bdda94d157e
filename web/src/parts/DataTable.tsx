// The table of every list: sticky header and totals, virtual rows, keyboard rows, columns that can
// be resized and moved. Ordering, filtering and paging are the server's; this draws what it is given.
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';
import type { ColumnDef } from '../domain/columns';
import type { ColumnControls } from '../state/columnChoice';
import { HeaderCell } from './HeaderCell';
import classes from './DataTable.module.css';

const rowHeight = 32;

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

export function DataTable<Row>(props: DataTableProps<Row>) {
  const { columns, rows, rowKey, expanded, onEnd, onAtTop } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(-1);
  const head = rowHeight * (props.total ? 2 : 1);
  // The virtualiser keeps its own state outside of React; this component reads it on each render.
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => rowKey(rows[index] as Row),
    overscan: 12,
    scrollPaddingStart: head,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? -1;

  useEffect(() => {
    if (last >= rows.length - 20 && rows.length > 0) onEnd?.();
  }, [last, rows.length, onEnd]);

  const move = (to: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, to));
    setActive(next);
    virtual.scrollToIndex(next);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return;
    const page = Math.floor((scroller.current?.clientHeight ?? 400) / rowHeight) - 3;
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
    if (to !== undefined) move(to);
    else if ((event.key === 'Enter' || event.key === ' ') && row) props.onOpen(row);
    else return;
    event.preventDefault();
  };

  const grid = template(columns.visible, columns.widths);
  const minWidth = totalWidth(columns.visible, columns.widths);
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
      <div className={classes.head} style={{ minWidth }}>
        <div className={classes.headRow} role="row" style={{ gridTemplateColumns: grid }}>
          {columns.visible.map((column) => (
            <HeaderCell
              key={column.id}
              column={column}
              controls={columns}
              sort={props.sort}
              onSort={props.onSort}
            />
          ))}
        </div>
        {props.total && (
          <div className={classes.totalRow} role="row" style={{ gridTemplateColumns: grid }}>
            {columns.visible.map((column) => (
              <div
                key={column.id}
                role="gridcell"
                className={classes.cell}
                data-numeric={column.numeric || undefined}
              >
                {props.total?.(column)}
              </div>
            ))}
          </div>
        )}
      </div>
      <div style={{ height: virtual.getTotalSize(), minWidth }} className={classes.body}>
        {items.map((item) => {
          const row = rows[item.index] as Row;
          const key = rowKey(row);
          const isExpanded = expanded?.keys.has(key) ?? false;
          return (
            <div
              key={item.key}
              ref={virtual.measureElement}
              data-index={item.index}
              className={classes.slot}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <div
                id={`row-${key}`}
                role="row"
                aria-rowindex={item.index + 1}
                aria-selected={props.selected === key}
                aria-expanded={expanded ? isExpanded : undefined}
                className={classes.row}
                data-active={item.index === active || undefined}
                style={{ gridTemplateColumns: grid }}
                onClick={() => {
                  setActive(item.index);
                  props.onOpen(row);
                }}
              >
                {columns.visible.map((column) => (
                  <div
                    key={column.id}
                    role="gridcell"
                    className={classes.cell}
                    data-column={column.id}
                    data-numeric={column.numeric || undefined}
                  >
                    {props.cell(row, column)}
                  </div>
                ))}
              </div>
              {isExpanded && expanded?.render(row)}
            </div>
          );
        })}
      </div>
      {props.footer && <div className={classes.footer}>{props.footer}</div>}
    </div>
  );
}
