// One person's column settings of one table: kept in this browser, never shared.
import { useCallback, useState } from 'react';
import { readSetting, removeSetting, writeSetting } from '../base/storage';
import {
  isColumnChoice,
  isShown,
  moveId,
  noChoice,
  orderedIds,
  setShown,
  type ColumnChoice,
  type ColumnDef,
} from '../domain/columns';

export interface ColumnControls {
  /** All columns in their order, shown or not. */
  ordered: ColumnDef[];
  visible: ColumnDef[];
  widths: Record<string, number>;
  isChanged: boolean;
  show: (id: string, shown: boolean) => void;
  move: (id: string, onto: string) => void;
  resize: (id: string, width: number) => void;
  reset: () => void;
}

export function useColumnChoice(table: string, columns: readonly ColumnDef[]): ColumnControls {
  const key = `columns.${table}`;
  const [choice, setChoice] = useState<ColumnChoice>(
    () => readSetting(key, isColumnChoice) ?? noChoice,
  );
  const change = useCallback(
    (edit: (choice: ColumnChoice) => ColumnChoice) => {
      setChoice((previous) => {
        const next = edit(previous);
        writeSetting(key, next);
        return next;
      });
    },
    [key],
  );
  const ids = orderedIds(columns, choice);
  const ordered = ids.flatMap((id) => columns.find((column) => column.id === id) ?? []);
  return {
    ordered,
    visible: ordered.filter((column) => isShown(column, choice)),
    widths: choice.widths,
    isChanged: choice !== noChoice,
    show: (id, shown) => change((previous) => setShown(previous, id, shown)),
    move: (id, onto) => change((previous) => ({ ...previous, order: moveId(ids, id, onto) })),
    resize: (id, width) =>
      change((previous) => ({ ...previous, widths: { ...previous.widths, [id]: width } })),
    reset: () => {
      removeSetting(key);
      setChoice(noChoice);
    },
  };
}
