// Finding a node by a few letters of its name. Pure.
import { entityQualifier } from '../domain/entity';
import type { MapNode } from './model';

export interface Match {
  node: MapNode;
  /** Larger is better. */
  score: number;
}

/**
 * How well `query` fits `text`: the letters must occur in order; runs, beginnings of words and
 * short texts score higher. Null when they do not occur.
 */
export function fuzzyScore(text: string, query: string): number | null {
  const hay = text.toLowerCase();
  const needle = query.toLowerCase().replace(/\s+/g, '');
  if (needle === '') return 0;
  const whole = hay.indexOf(needle);
  if (whole >= 0) return 1000 - whole * 2 - hay.length + (isWordStart(hay, whole) ? 200 : 0);
  let score = 0;
  let from = 0;
  let previous = -2;
  for (const letter of needle) {
    const at = hay.indexOf(letter, from);
    if (at < 0) return null;
    score += at === previous + 1 ? 12 : isWordStart(hay, at) ? 8 : 1;
    previous = at;
    from = at + 1;
  }
  const isScattered = score < needle.length * 4;
  return isScattered ? null : score - hay.length / 10;
}

function isWordStart(text: string, at: number): boolean {
  return at === 0 || /[^a-z0-9]/.test(text.charAt(at - 1));
}

/** Best first; ties by key, so that the order does not jump. A name counts before a place. */
export function findNodes(nodes: readonly MapNode[], query: string): Match[] {
  const matches: Match[] = [];
  for (const node of nodes) {
    const byName = fuzzyScore(node.entity.name, query);
    const place = entityQualifier(node.entity);
    const byPlace = byName === null && place !== null ? fuzzyScore(place, query) : null;
    const score = byName ?? (byPlace === null ? null : byPlace - 500);
    if (score !== null) matches.push({ node, score });
  }
  return matches.sort((a, b) => b.score - a.score || (a.node.key < b.node.key ? -1 : 1));
}
