// Numbers as people read them, and the exact value behind each. Pure.
import type { Unit } from './schema.gen';

/** Shown where there is no value: what the kernel could not tell is not 0. */
export const absent = '–';

const decimalPrefixes = ['', 'k', 'M', 'G', 'T', 'P', 'E'] as const;

/** Three significant digits, without trailing zeros after the point: 1.2, 12.4, 124. */
function threeDigits(value: number): string {
  const magnitude = Math.abs(value);
  const decimals = magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : 2;
  return String(Number(value.toFixed(decimals)));
}

/** Splits into a mantissa below 1000 and a decimal prefix; 999.6 k becomes 1 M, never 1000 k. */
function scaled(value: number): { mantissa: string; prefix: string } {
  let step = 0;
  let rest = value;
  while (Math.abs(Number(threeDigits(rest))) >= 1000 && step < decimalPrefixes.length - 1) {
    rest /= 1000;
    step += 1;
  }
  return { mantissa: threeDigits(rest), prefix: decimalPrefixes[step] ?? '' };
}

export function formatBytes(bytes: number): string {
  const { mantissa, prefix } = scaled(bytes);
  return `${mantissa} ${prefix}B`;
}

export function formatCount(count: number): string {
  const { mantissa, prefix } = scaled(count);
  return prefix === '' ? mantissa : `${mantissa} ${prefix}`;
}

export function formatMicros(micros: number): string {
  if (Math.abs(micros) < 999.5) return `${threeDigits(micros)} µs`;
  if (Math.abs(micros) < 999_500) return `${threeDigits(micros / 1e3)} ms`;
  if (Math.abs(micros) < 119.5e6) return `${threeDigits(micros / 1e6)} s`;
  return formatDuration(micros / 1e3);
}

/** A share of one as a percentage; what is too little to be written is not 0. */
export function formatRatio(ratio: number): string {
  const text = threeDigits(ratio * 100);
  return text === '0' && ratio > 0 ? '<0.01 %' : `${text} %`;
}

/** A length of time in at most two units: `45 s`, `20 min`, `1 h 30 min`, `2 d`. */
export function formatDuration(ms: number): string {
  const units: readonly [string, number][] = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1000],
  ];
  if (ms < 1000) return `${Math.round(ms)} ms`;
  let rest = Math.round(ms / 1000) * 1000;
  const parts: string[] = [];
  for (const [name, size] of units) {
    const whole = Math.floor(rest / size);
    if (whole > 0) parts.push(`${whole} ${name}`);
    rest -= whole * size;
    if (parts.length === 2 || (parts.length === 1 && rest === 0)) break;
  }
  return parts.join(' ');
}

/** A value with its unit, short enough for a cell. */
export function formatValue(value: number | null | undefined, unit: Unit): string {
  if (value === null || value === undefined) return absent;
  switch (unit) {
    case 'bytes':
      return formatBytes(value);
    case 'microseconds':
      return formatMicros(value);
    case 'milliseconds':
      return formatMicros(value * 1000);
    case 'ratio':
      return formatRatio(value);
    case 'per_second':
      return `${formatCount(value)}/s`;
    default:
      return formatCount(value);
  }
}

/** The same per second. */
export function formatRate(perSecond: number | null | undefined, unit: Unit): string {
  if (perSecond === null || perSecond === undefined) return absent;
  return `${formatValue(perSecond, unit)}/s`;
}

const unitNames: Record<Unit, string> = {
  none: '',
  bytes: 'bytes',
  packets: 'packets',
  count: '',
  microseconds: 'µs',
  milliseconds: 'ms',
  ratio: '%',
  per_second: 'per second',
};

const exactNumber = new Intl.NumberFormat('en-US', { maximumFractionDigits: 3 });

/** Every digit, grouped: `1,240,113 bytes`. */
export function formatExact(value: number | null | undefined, unit: Unit): string {
  if (value === null || value === undefined) return 'not known';
  const shown = unit === 'ratio' ? value * 100 : value;
  return `${exactNumber.format(shown)} ${unitNames[unit]}`.trim();
}

/** `+12 %`, `-3.4 %`, `×14`, `new` where there was nothing, null where nothing can be said. */
export function formatChange(now: number | null, before: number | null): string | null {
  if (now === null || before === null) return null;
  if (before === 0) return now === 0 ? '0 %' : 'new';
  const percent = ((now - before) / before) * 100;
  if (percent > 999) return `×${threeDigits(now / before)}`;
  const rounded = Math.abs(percent) < 10 ? Number(percent.toFixed(1)) : Math.round(percent);
  return `${rounded > 0 ? '+' : ''}${rounded} %`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${exactNumber.format(count)} ${count === 1 ? one : many}`;
}
