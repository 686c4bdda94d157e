import { describe, expect, it } from 'vitest';
import {
  isColumnChoice,
  isShown,
  moveId,
  nextSort,
  noChoice,
  orderedIds,
  setShown,
  type ColumnDef,
} from './columns';
import { layers, layerSchemas } from './layer';
import { connectionColumns, flowColumns, groupColumns, pairColumns } from './tableColumns';

const columns = ['a', 'b', 'c'].map((id) => ({ id, shown: id !== 'c' }) as ColumnDef);
const shown = (choice = noChoice) =>
  columns.filter((column) => isShown(column, choice)).map(({ id }) => id);

describe('columns', () => {
  it.each(layers)('every metric of %s has one in the pairs table', (layer) => {
    const ids = pairColumns[layer].map(({ id }) => id);
    const names = layerSchemas[layer].metrics.map(({ name }) => name);
    expect(names.filter((name) => !ids.includes(name))).toEqual([]);
  });

  it.each(layers)('of %s: no id stands twice', (layer) => {
    const tables = [pairColumns, flowColumns, connectionColumns, groupColumns];
    for (const table of tables) {
      const ids = table[layer].map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  it('every column of a request can be shown but its time, which has its own', () => {
    const ids = new Set(flowColumns.l7.map(({ id }) => id));
    const known = layerSchemas.l7.rowColumns.filter(({ type }) => type !== 'timestamp_ms');
    expect(known.map(({ name }) => name).filter((name) => !ids.has(name))).toEqual([]);
  });

  it('are shown and hidden', () => {
    expect(shown()).toEqual(['a', 'b']);
    const more = setShown(setShown(noChoice, 'c', true), 'a', false);
    expect(shown(more)).toEqual(['b', 'c']);
    expect(shown(setShown(setShown(more, 'a', true), 'c', false))).toEqual(['a', 'b']);
  });

  it('keep their order; a new one stands behind its neighbour', () => {
    expect(orderedIds(columns, { ...noChoice, order: ['c', 'a'] })).toEqual(['c', 'a', 'b']);
    expect(orderedIds(columns, { ...noChoice, order: ['gone', 'b'] })).toEqual(['a', 'b', 'c']);
  });

  it('move to where another stands', () => {
    expect(moveId(['a', 'b', 'c'], 'a', 'c')).toEqual(['b', 'c', 'a']);
    expect(moveId(['a', 'b', 'c'], 'c', 'a')).toEqual(['c', 'a', 'b']);
    expect(moveId(['a', 'b'], 'x', 'a')).toEqual(['a', 'b']);
  });

  it('settings of another shape are not taken', () => {
    expect(isColumnChoice(noChoice)).toBe(true);
    for (const bad of [null, 3, [], {}, { order: [1], hidden: [], shown: [], widths: {} }]) {
      expect(isColumnChoice(bad)).toBe(false);
    }
  });

  it('sort by numbers largest first, by words in order, and turn round', () => {
    const number = { id: 'n', numeric: true, sort: 'n' } as ColumnDef;
    const word = { id: 'w', numeric: false, sort: 'w' } as ColumnDef;
    expect(nextSort('-x', number)).toBe('-n');
    expect(nextSort('-n', number)).toBe('n');
    expect(nextSort('-x', word)).toBe('w');
    expect(nextSort('w', word)).toBe('-w');
  });
});
