// One column's head: sorts when clicked, moves when dragged, resizes at its right edge.
import { Tooltip } from '@mantine/core';
import { IconArrowDown, IconArrowUp } from '@tabler/icons-react';
import { useRef, type DragEvent, type KeyboardEvent, type PointerEvent } from 'react';
import { parseSort, type ColumnDef } from '../domain/columns';
import type { ColumnControls } from '../state/columnChoice';
import classes from './DataTable.module.css';

const widthMin = 56;
const widthMax = 900;
const keyStep = 16;
const dragType = 'application/x-weir-column';

interface HeaderCellProps {
  column: ColumnDef;
  controls: ColumnControls;
  sort: string | undefined;
  onSort: ((column: ColumnDef) => void) | undefined;
}

export function HeaderCell({ column, controls, sort, onSort }: HeaderCellProps) {
  const cell = useRef<HTMLDivElement>(null);
  const order = sort ? parseSort(sort) : null;
  const sorted = order !== null && column.sort !== null && order.by === column.sort;
  const direction = order?.descending ? 'descending' : 'ascending';
  const sortable = column.sort !== null && onSort !== undefined;

  const onDrop = (event: DragEvent) => {
    const id = event.dataTransfer.getData(dragType);
    if (id === '') return;
    event.preventDefault();
    controls.move(id, column.id);
  };

  return (
    <div
      ref={cell}
      role="columnheader"
      aria-sort={sorted ? direction : undefined}
      className={classes.headCell}
      data-numeric={column.numeric || undefined}
      data-sorted={sorted || undefined}
      draggable
      onDragStart={(event) => event.dataTransfer.setData(dragType, column.id)}
      onDragOver={(event) => {
        if (event.dataTransfer.types.includes(dragType)) event.preventDefault();
      }}
      onDrop={onDrop}
    >
      <Tooltip label={column.doc} multiline maw={300}>
        {sortable ? (
          <button type="button" className={classes.sort} onClick={() => onSort(column)}>
            <span className={classes.headText}>{column.label}</span>
            {sorted &&
              (order.descending ? (
                <IconArrowDown size={12} aria-hidden />
              ) : (
                <IconArrowUp size={12} aria-hidden />
              ))}
          </button>
        ) : (
          <span className={classes.headText}>{column.label}</span>
        )}
      </Tooltip>
      <ResizeHandle
        label={column.label}
        widthNow={() => cell.current?.offsetWidth ?? column.width}
        onResize={(width) => controls.resize(column.id, width)}
      />
    </div>
  );
}

interface ResizeHandleProps {
  label: string;
  widthNow: () => number;
  onResize: (width: number) => void;
}

function ResizeHandle({ label, widthNow, onResize }: ResizeHandleProps) {
  const start = useRef<{ x: number; width: number } | null>(null);
  const clamp = (width: number) => Math.round(Math.max(widthMin, Math.min(widthMax, width)));
  const onPointerDown = (event: PointerEvent<HTMLSpanElement>) => {
    event.preventDefault();
    event.stopPropagation();
    event.currentTarget.setPointerCapture(event.pointerId);
    start.current = { x: event.clientX, width: widthNow() };
  };
  const onPointerMove = (event: PointerEvent) => {
    if (start.current) onResize(clamp(start.current.width + event.clientX - start.current.x));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -keyStep, ArrowRight: keyStep }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    onResize(clamp(widthNow() + step));
  };
  return (
    <span
      role="separator"
      aria-orientation="vertical"
      aria-label={`Width of ${label}`}
      tabIndex={0}
      className={classes.resize}
      draggable
      onDragStart={(event) => {
        event.preventDefault();
        event.stopPropagation();
      }}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={() => {
        start.current = null;
      }}
      onKeyDown={onKeyDown}
      onClick={(event) => event.stopPropagation()}
    />
  );
}
