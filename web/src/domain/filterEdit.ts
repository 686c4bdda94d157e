// Editing a filter by clicking: which values of a key it takes or leaves, and the text that takes
// or leaves one more. What was typed by hand and cannot be shown as check marks stays as it is.
import { quoteValue, splitClauses, unquoteValue, type Clause } from './filterText';

/** `null` is "has no value". */
export type FacetValue = string | null;

export interface FacetChoice {
  include: readonly FacetValue[];
  exclude: readonly FacetValue[];
}

interface SimpleClause {
  key: string;
  negated: boolean;
  values: FacetValue[];
}

export function clauseText(key: string, value: string): string {
  return `${key}:${quoteValue(value)}`;
}

/** A clause of the form `key:value` or `key:(a OR b)`, possibly with `-`; null for all others. */
function parseSimple(clause: Clause): SimpleClause | null {
  const match = /^(-?)([A-Za-z_][A-Za-z0-9_]*):(.+)$/s.exec(clause.text);
  if (!match) return null;
  const [, minus, key, body] = match as unknown as [string, string, string, string];
  if (body === '*') return minus === '-' ? { key, negated: false, values: [null] } : null;
  const values = parseValues(body);
  return values && { key, negated: minus === '-', values };
}

function parseValues(body: string): string[] | null {
  if (!body.startsWith('(')) return isAtom(body) ? [unquoteValue(body)] : null;
  if (!body.endsWith(')')) return null;
  const parts = splitClauses(body.slice(1, -1)).map((part) => part.text);
  const values: string[] = [];
  for (const [index, part] of parts.entries()) {
    if (index % 2 === 1) {
      if (part !== 'OR') return null;
    } else if (isAtom(part)) {
      values.push(unquoteValue(part));
    } else {
      return null;
    }
  }
  return parts.length % 2 === 1 ? values : null;
}

function isAtom(text: string): boolean {
  if (/^"(?:\\.|[^"\\])*"$/.test(text)) return true;
  return /^[^\s()[\]"<>=*?]+$/.test(text) && !/^(AND|OR|NOT)$/.test(text);
}

/** Whether the outermost parts are joined by OR, so that no single part can be edited alone. */
function hasTopLevelOr(clauses: readonly Clause[]): boolean {
  return clauses.some((clause) => clause.text === 'OR');
}

function editable(clauses: readonly Clause[], index: number): SimpleClause | null {
  if (clauses[index - 1]?.text === 'NOT') return null;
  const clause = clauses[index];
  return clause ? parseSimple(clause) : null;
}

/** What the filter says about one key, as check marks. */
export function readChoice(text: string, key: string): FacetChoice {
  const clauses = splitClauses(text);
  const include: FacetValue[] = [];
  const exclude: FacetValue[] = [];
  if (!hasTopLevelOr(clauses)) {
    clauses.forEach((_, index) => {
      const simple = editable(clauses, index);
      if (simple?.key !== key) return;
      (simple.negated ? exclude : include).push(...simple.values);
    });
  }
  return { include, exclude };
}

function choiceClauses(key: string, choice: FacetChoice): string[] {
  const clauses: string[] = [];
  const named = choice.include.filter((value): value is string => value !== null);
  if (choice.include.includes(null)) {
    const missing = `-${key}:*`;
    clauses.push(named.length === 0 ? missing : `(${listClause(key, named)} OR ${missing})`);
  } else if (named.length > 0) {
    clauses.push(listClause(key, named));
  }
  for (const value of choice.exclude) {
    clauses.push(value === null ? `${key}:*` : `-${clauseText(key, value)}`);
  }
  return clauses;
}

function listClause(key: string, values: readonly string[]): string {
  if (values.length === 1) return clauseText(key, values[0] ?? '');
  return `${key}:(${values.map(quoteValue).join(' OR ')})`;
}

/** The text with the choice for one key replaced; all else stays, in its order. */
export function writeChoice(text: string, key: string, choice: FacetChoice): string {
  const clauses = splitClauses(text);
  const fresh = choiceClauses(key, choice);
  if (hasTopLevelOr(clauses)) return [`(${text.trim()})`, ...fresh].join(' ');
  const kept: string[] = [];
  let place = -1;
  clauses.forEach((clause, index) => {
    if (editable(clauses, index)?.key === key) {
      if (place < 0) place = kept.length;
    } else if (clause.text !== 'AND') {
      kept.push(clause.text);
    } else if (editable(clauses, index + 1)?.key !== key && kept.length > 0) {
      kept.push(clause.text);
    }
  });
  kept.splice(place < 0 ? kept.length : place, 0, ...fresh);
  return tidyAnds(kept).join(' ');
}

/** Drops an AND that no longer stands between two parts. */
function tidyAnds(parts: readonly string[]): string[] {
  return parts.filter((part, index) => {
    if (part !== 'AND') return true;
    return index > 0 && index < parts.length - 1 && parts[index + 1] !== 'AND';
  });
}

function without(values: readonly FacetValue[], value: FacetValue): FacetValue[] {
  return values.filter((other) => other !== value);
}

export type FacetMark = 'include' | 'exclude' | 'none';

export function markOf(choice: FacetChoice, value: FacetValue): FacetMark {
  if (choice.include.includes(value)) return 'include';
  return choice.exclude.includes(value) ? 'exclude' : 'none';
}

/** Sets one value of one key to included, excluded or neither. */
export function setMark(text: string, key: string, value: FacetValue, mark: FacetMark): string {
  const before = readChoice(text, key);
  const include = without(before.include, value);
  const exclude = without(before.exclude, value);
  if (mark === 'include') include.push(value);
  if (mark === 'exclude') exclude.push(value);
  return writeChoice(text, key, { include, exclude });
}

/** The text that takes only rows with these values, whatever it said of their keys before. */
export function filterForValues(
  text: string,
  values: Readonly<Record<string, FacetValue>>,
): string {
  return Object.entries(values).reduce(
    (filter, [key, value]) => writeChoice(filter, key, { include: [value], exclude: [] }),
    text,
  );
}

/** One removable chip: a part of the filter as it was written. */
export interface Chip {
  index: number;
  text: string;
}

/** The parts of a filter that can each be taken away; one chip for all where OR joins them. */
export function readChips(text: string): Chip[] {
  const clauses = splitClauses(text);
  if (clauses.length === 0) return [];
  if (hasTopLevelOr(clauses)) return [{ index: 0, text: text.trim() }];
  const chips: Chip[] = [];
  clauses.forEach((clause, index) => {
    if (clause.text === 'AND' || clause.text === 'NOT') return;
    const negated = clauses[index - 1]?.text === 'NOT';
    chips.push({ index, text: negated ? `NOT ${clause.text}` : clause.text });
  });
  return chips;
}

export function removeChip(text: string, index: number): string {
  const clauses = splitClauses(text);
  if (hasTopLevelOr(clauses)) return '';
  const kept = clauses.filter(
    (clause, at) => at !== index && !(clause.text === 'NOT' && at === index - 1),
  );
  return tidyAnds(kept.map((clause) => clause.text)).join(' ');
}

/** The filter and one more condition. */
export function addClauses(text: string, clauses: readonly string[]): string {
  const present = splitClauses(text);
  const fresh = clauses.filter((clause) => !present.some((old) => old.text === clause));
  if (fresh.length === 0) return text.trim();
  const base = hasTopLevelOr(present) ? `(${text.trim()})` : text.trim();
  return [base, ...fresh].filter((part) => part !== '').join(' ');
}
