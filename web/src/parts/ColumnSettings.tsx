// Chooses and orders the columns of a table.
import { ActionIcon, Button, Checkbox, Popover } from '@mantine/core';
import { IconColumns3, IconGripVertical } from '@tabler/icons-react';
import { useState, type KeyboardEvent } from 'react';
import type { ColumnControls } from '../state/columnChoice';
import classes from './ColumnSettings.module.css';

export function ColumnSettings({ columns }: { columns: ColumnControls }) {
  return (
    <Popover position="bottom-end" width={260} trapFocus returnFocus>
      <Popover.Target>
        <ActionIcon
          variant="default"
          size={30}
          aria-label="Columns"
          title="Choose and order columns"
        >
          <IconColumns3 size={15} stroke={1.7} />
        </ActionIcon>
      </Popover.Target>
      <Popover.Dropdown p={0}>
        <ColumnList columns={columns} />
      </Popover.Dropdown>
    </Popover>
  );
}

function ColumnList({ columns }: { columns: ColumnControls }) {
  const [dragged, setDragged] = useState<string | null>(null);
  const visible = new Set(columns.visible.map((column) => column.id));
  const moveBy = (id: string, step: number) => {
    const at = columns.ordered.findIndex((column) => column.id === id);
    const onto = columns.ordered[at + step];
    if (onto) columns.move(id, onto.id);
  };
  return (
    <>
      <ul className={classes.list}>
        {columns.ordered.map((column) => (
          <li
            key={column.id}
            className={classes.item}
            data-dragged={dragged === column.id || undefined}
            draggable
            onDragStart={() => setDragged(column.id)}
            onDragEnd={() => setDragged(null)}
            onDragOver={(event) => event.preventDefault()}
            onDrop={() => dragged !== null && columns.move(dragged, column.id)}
          >
            <Checkbox
              label={column.name ?? column.label}
              checked={visible.has(column.id)}
              disabled={visible.has(column.id) && visible.size === 1}
              onChange={(event) => columns.show(column.id, event.currentTarget.checked)}
            />
            <button
              type="button"
              className={classes.grip}
              aria-label={`Move ${column.label}: arrow keys`}
              onKeyDown={(event: KeyboardEvent) => {
                const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
                if (step === undefined) return;
                event.preventDefault();
                moveBy(column.id, step);
              }}
            >
              <IconGripVertical size={14} aria-hidden />
            </button>
          </li>
        ))}
      </ul>
      <div className={classes.footer}>
        <span>Kept in this browser</span>
        <Button
          variant="subtle"
          size="compact-xs"
          disabled={!columns.isChanged}
          onClick={columns.reset}
        >
          Reset
        </Button>
      </div>
    </>
  );
}
