// A quantity as a person types it: a number with an optional prefix and unit. Pure.
import type { Unit } from '../../domain/schema.gen';

const prefixes: Record<string, number> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
const micros: Record<string, number> = { '': 1, us: 1, µs: 1, ms: 1e3, s: 1e6, min: 60e6 };

/** What may stand behind the prefix. */
const suffixOf: Partial<Record<Unit, RegExp>> = { bytes: /b$/, per_second: /\/s$/ };

/** `1.2 ms`, `300us`, `4 MB`, `12 %`, `3 k/s`, `1,500`, `12k`; null for what is none. */
export function parseQuantity(text: string, unit: Unit): number | null {
  const match = /^([0-9][0-9.,\s]*)([a-zµ]*|%|[a-z]?\/s)$/i.exec(text.trim());
  if (!match) return null;
  const value = Number((match[1] ?? '').replace(/[,\s]/g, ''));
  const suffix = (match[2] ?? '').toLowerCase();
  if (!Number.isFinite(value)) return null;
  if (unit === 'microseconds') {
    const factor = micros[suffix];
    return factor === undefined ? null : value * factor;
  }
  // A rate is written as a percentage whether it says so or not.
  if (unit === 'ratio') return suffix === '' || suffix === '%' ? value / 100 : null;
  const bare = suffix.replace(suffixOf[unit] ?? /$^/, '');
  const factor = prefixes[bare];
  return factor === undefined ? null : value * factor;
}
