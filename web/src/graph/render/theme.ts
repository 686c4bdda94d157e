// The colours a map is drawn with, for one colour scheme.
import { fillPalette, outOfRangeColor, type FiveSteps, type Scheme } from '../../base/palette';
import type { Step } from '../intervals';

export interface MapTheme {
  scheme: Scheme;
  background: string;
  surface: string;
  text: string;
  muted: string;
  border: string;
  accent: string;
  steps: FiveSteps;
  outOfRange: string;
}

/** From the frame's CSS variables, so that the map can never drift from the rest of the page. */
export function readTheme(scheme: Scheme, element: Element): MapTheme {
  const style = getComputedStyle(element);
  const color = (name: string, fallback: string) => {
    const value = style.getPropertyValue(name).trim();
    return /^#[0-9a-f]{6}$/i.test(value) ? value : fallback;
  };
  const isDark = scheme === 'dark';
  return {
    scheme,
    background: color('--w-bg', isDark ? '#0d1014' : '#f6f7f9'),
    surface: color('--w-surface', isDark ? '#14181e' : '#ffffff'),
    text: color('--w-text', isDark ? '#e3e6ea' : '#171b21'),
    muted: color('--w-muted', isDark ? '#9aa3af' : '#5d6773'),
    border: color('--w-border', isDark ? '#252b34' : '#e3e6eb'),
    accent: color('--w-accent', isDark ? '#3aafcb' : '#0b7a99'),
    steps: fillPalette(scheme),
    outOfRange: outOfRangeColor(scheme),
  };
}

export function stepColor(theme: MapTheme, step: Step): string {
  return step === null ? theme.outOfRange : theme.steps[step];
}

/** `#rrggbb` moved towards another by a share of 0 to 1. */
export function mixColors(from: string, to: string, share: number): string {
  const channel = (color: string, at: number) => parseInt(color.slice(at, at + 2), 16);
  const mixed = [1, 3, 5].map((at) =>
    Math.round(channel(from, at) * (1 - share) + channel(to, at) * share)
      .toString(16)
      .padStart(2, '0'),
  );
  return `#${mixed.join('')}`;
}
