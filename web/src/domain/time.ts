// Time ranges: what a person types or picks, what the address bar holds, what the API is asked.
// Pure: the present is always an argument.
import { formatDuration } from './units';

/** Both ends as the API takes them: `now`, `now-15m`, or unix milliseconds as digits. */
export interface TimeRange {
  from: string;
  to: string;
}

export interface TimePreset {
  label: string;
  range: TimeRange;
}

const unitMs: Record<string, number> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

export function lastOf(span: string): TimeRange {
  return { from: `now-${span}`, to: 'now' };
}

export const timePresets: readonly TimePreset[] = [
  { label: 'Last 5 minutes', range: lastOf('5m') },
  { label: 'Last 15 minutes', range: lastOf('15m') },
  { label: 'Last hour', range: lastOf('1h') },
  { label: 'Last 3 hours', range: lastOf('3h') },
  { label: 'Last 6 hours', range: lastOf('6h') },
  { label: 'Last 12 hours', range: lastOf('12h') },
  { label: 'Last 24 hours', range: lastOf('24h') },
  { label: 'Last 48 hours', range: lastOf('48h') },
];

/** `15m`, `1h30m`, `2 days` in milliseconds; null when it is not a length of time. */
export function parseSpan(text: string): number | null {
  const compact = text.trim().toLowerCase().replace(/\s+/g, '');
  if (compact === '') return null;
  const part = /(\d+(?:\.\d+)?)(weeks?|days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|[smhdw])/y;
  let total = 0;
  while (part.lastIndex < compact.length) {
    const match = part.exec(compact);
    if (!match) return null;
    total += Number(match[1]) * (unitMs[(match[2] ?? '').charAt(0)] ?? 0);
  }
  return total > 0 ? total : null;
}

/** A length in the API's own spelling, in the largest unit that divides it. */
export function spanText(ms: number): string {
  for (const unit of ['d', 'h', 'm']) {
    const size = unitMs[unit] ?? 1;
    if (ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${Math.max(1, Math.round(ms / 1000))}s`;
}

/** One end of a range in unix milliseconds; null when the text says no time. */
export function resolveBound(text: string, nowMs: number): number | null {
  const trimmed = text.trim();
  if (trimmed === 'now') return nowMs;
  if (/^now-/.test(trimmed)) {
    const span = parseSpan(trimmed.slice(4));
    return span === null ? null : nowMs - span;
  }
  if (/^\d{11,14}$/.test(trimmed)) return Number(trimmed);
  return parseClock(trimmed, nowMs);
}

/** A date and time in the viewer's zone, or with a zone of its own (RFC 3339). */
function parseClock(text: string, nowMs: number): number | null {
  const timeOnly = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text);
  if (timeOnly) {
    const day = new Date(nowMs);
    const [hour, minute, second] = [timeOnly[1], timeOnly[2], timeOnly[3] ?? '0'].map(Number);
    if ((hour ?? 24) > 23 || (minute ?? 60) > 59 || (second ?? 60) > 59) return null;
    day.setHours(hour ?? 0, minute ?? 0, second ?? 0, 0);
    return day.getTime();
  }
  if (!/^\d{4}-\d{2}-\d{2}/.test(text)) return null;
  const iso = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00` : text.replace(' ', 'T');
  const ms = Date.parse(iso);
  return Number.isNaN(ms) ? null : ms;
}

/**
 * What someone typed into the time box: `20m`, `2d`, `last 3 hours`, `now-1h`,
 * `10:00 - 10:30`, `2026-11-21 10:00 to now`. Null when it is none of these.
 */
export function parseTyped(text: string, nowMs: number): TimeRange | null {
  const trimmed = text.trim().replace(/^(last|past)\s+/i, '');
  const span = parseSpan(trimmed);
  if (span !== null) return lastOf(spanText(span));
  const ends = trimmed.split(/\s+(?:to|-|–|\.\.)\s+/i);
  const from = canonicalBound(ends[0] ?? '', nowMs);
  const to = ends.length > 1 ? canonicalBound(ends[1] ?? '', nowMs) : 'now';
  if (ends.length > 2 || from === null || to === null || from === 'now') return null;
  const fromMs = resolveBound(from, nowMs);
  const toMs = resolveBound(to, nowMs);
  if (fromMs === null || toMs === null || fromMs >= toMs) return null;
  return { from, to };
}

function canonicalBound(text: string, nowMs: number): string | null {
  const ms = resolveBound(text, nowMs);
  if (ms === null) return null;
  const trimmed = text.trim();
  return trimmed.startsWith('now') ? trimmed.replace(/\s+/g, '') : String(ms);
}

export function absoluteRange(fromMs: number, toMs: number): TimeRange {
  return { from: String(Math.floor(fromMs)), to: String(Math.ceil(toMs)) };
}

/** Unix milliseconds of both ends; the last 15 minutes when the text cannot be read. */
export function resolveRange(range: TimeRange, nowMs: number): { fromMs: number; toMs: number } {
  const toMs = resolveBound(range.to, nowMs) ?? nowMs;
  const fromMs = resolveBound(range.from, nowMs) ?? toMs - 900_000;
  return { fromMs, toMs };
}

export function isRelative(range: TimeRange): boolean {
  return range.to === 'now' && range.from.startsWith('now-');
}

/** The range moved by its own length; forward never goes past the present. */
export function shiftRange(range: TimeRange, direction: -1 | 1, nowMs: number): TimeRange {
  const { fromMs, toMs } = resolveRange(range, nowMs);
  const length = toMs - fromMs;
  const movedTo = toMs + direction * length;
  if (movedTo >= nowMs) return lastOf(spanText(Math.round(length / 1000) * 1000));
  return absoluteRange(fromMs + direction * length, movedTo);
}

/** The range of the same length just before it. */
export function previousRange(window: { from_ms: number; to_ms: number }): TimeRange {
  return absoluteRange(2 * window.from_ms - window.to_ms, window.from_ms);
}

const clock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const shortClock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

/** `14:03:20`. */
export function formatClock(ms: number): string {
  return clock.format(ms);
}

/** `21 Nov 14:03:20`. */
export function formatMoment(ms: number): string {
  return `${day.format(ms)} ${clock.format(ms)}`;
}

/** `21 Nov 14:03:20.061`, for what happens at a moment rather than in a window. */
export function formatMomentMs(ms: number): string {
  return `${formatMoment(ms)}.${String(Math.floor(ms) % 1000).padStart(3, '0')}`;
}

/** The viewer's zone first, then UTC: what a time shows when pointed at. */
export function formatMomentExact(ms: number): string {
  return `${formatMoment(ms)} local · ${new Date(ms).toISOString().replace('.000Z', 'Z')}`;
}

/** `3 min ago`, `just now`. */
export function formatAge(ms: number, nowMs: number): string {
  const age = nowMs - ms;
  if (age < 1500) return 'just now';
  return `${formatDuration(age).split(' ').slice(0, 2).join(' ')} ago`;
}

/** What the time button says. */
export function rangeLabel(range: TimeRange, nowMs: number): string {
  if (isRelative(range)) {
    const span = parseSpan(range.from.slice(4));
    if (span !== null) return `Last ${formatDuration(span)}`;
  }
  const { fromMs, toMs } = resolveRange(range, nowMs);
  const end = range.to === 'now' ? 'now' : endLabel(fromMs, toMs);
  return `${startLabel(fromMs, nowMs)} – ${end}`;
}

function startLabel(fromMs: number, nowMs: number): string {
  const text = fromMs % 60_000 === 0 ? shortClock.format(fromMs) : clock.format(fromMs);
  return day.format(fromMs) === day.format(nowMs) ? text : `${day.format(fromMs)} ${text}`;
}

function endLabel(fromMs: number, toMs: number): string {
  const text = toMs % 60_000 === 0 ? shortClock.format(toMs) : clock.format(toMs);
  return day.format(fromMs) === day.format(toMs) ? text : `${day.format(toMs)} ${text}`;
}
