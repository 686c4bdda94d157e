// Colours that carry data: series, directions and the five steps of a fill metric.
// Colours of the frame itself are CSS variables in tokens.css.

export type Scheme = 'light' | 'dark';

/** The five colours of a fill metric, lowest interval first. */
export type FiveSteps = readonly [string, string, string, string, string];

/**
 * Sequential steps whose lightness changes in one direction only, so that they are told apart
 * with any colour vision and in grey; the high end is what stands out on either background.
 */
const fillSteps: Record<Scheme, FiveSteps> = {
  light: ['#f2c14e', '#ee8a4a', '#d4525f', '#9c2f70', '#561d69'],
  dark: ['#6f4bb0', '#b0419b', '#e4586f', '#f7924f', '#fcd966'],
};

const outOfRange: Record<Scheme, string> = { light: '#c3c8d0', dark: '#4a515c' };

/** Told apart by people with any colour vision; further series repeat with another dash. */
const series: Record<Scheme, readonly string[]> = {
  light: ['#1f77c9', '#dc7a06', '#0d9488', '#b83c8b', '#7457d4', '#64748b'],
  dark: ['#58a6f2', '#f3a13d', '#35c4b5', '#e477bd', '#a58ef5', '#94a3b8'],
};

/** How a request ended, by the class of its status; always with the class in words beside it. */
export type StatusTone = 'ok' | 'redirect' | 'client-error' | 'server-error' | 'none';

const statusTones: Record<Scheme, Record<StatusTone, string>> = {
  light: {
    ok: '#4aa583',
    redirect: '#9db4cf',
    'client-error': '#e0a100',
    'server-error': '#c0312f',
    none: '#5d6773',
  },
  dark: {
    ok: '#3b8f6f',
    redirect: '#5f7a9a',
    'client-error': '#e9b45b',
    'server-error': '#f47f7a',
    none: '#aab3bf',
  },
};

/** A place in the series palette, or what a status means. */
export type SeriesColor = number | StatusTone;

export function fillPalette(scheme: Scheme): FiveSteps {
  return fillSteps[scheme];
}

/** Colour of a value that lies outside the intervals, or that is absent. */
export function outOfRangeColor(scheme: Scheme): string {
  return outOfRange[scheme];
}

export function seriesColor(scheme: Scheme, color: SeriesColor): string {
  if (typeof color !== 'number') return statusTones[scheme][color];
  const colors = series[scheme];
  return colors[color % colors.length] ?? '#64748b';
}

/** The same colour with an opacity between 0 and 1. */
export function withAlpha(hex: string, alpha: number): string {
  const byte = Math.round(Math.min(1, Math.max(0, alpha)) * 255);
  return hex + byte.toString(16).padStart(2, '0');
}
