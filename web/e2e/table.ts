// Reads a table off the screen.
import type { Locator, Page } from 'playwright-core';

export interface ShownRow {
  [column: string]: string;
}

export function grid(page: Page, name: string): Locator {
  return page.getByRole('grid', { name, exact: true });
}

/** Rows as they stand on the screen: text of words, every digit of numbers. */
export async function shownRows(table: Locator): Promise<ShownRow[]> {
  return table.locator('[role=row][aria-rowindex]').evaluateAll((rows) =>
    rows
      .map((row) => {
        const cells: ShownRow = { '#': row.getAttribute('aria-rowindex') ?? '' };
        for (const cell of row.querySelectorAll<HTMLElement>('[data-column]')) {
          const metric = cell.querySelector<HTMLElement>('[data-metric]');
          const exact = metric?.title.split('\n')[0]?.replace(/^[^:]*: /, '');
          cells[cell.dataset['column'] ?? ''] = exact ?? cell.innerText.trim();
        }
        return cells;
      })
      .sort((a, b) => Number(a['#']) - Number(b['#'])),
  );
}

/** The number that `1,240,113 bytes` says; null for what is not known. */
export function exactNumber(text: string | undefined): number | null {
  if (text === undefined || text === 'not known') return null;
  return Number(text.replaceAll(',', '').replace(/[^\d.-].*$/, ''));
}

const threeDigits = new Intl.NumberFormat('en-US', {
  maximumFractionDigits: 3,
  useGrouping: false,
});

/** As the screen rounds: three digits after the point, halves up as decimals (toFixed is binary). */
export function rounded(value: number | null | undefined): number | null {
  return value === null || value === undefined ? null : Number(threeDigits.format(value));
}
