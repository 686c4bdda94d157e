// What could come next at the caret of a filter. Pure: values come from the caller.
import { fieldDoc } from './fields';
import { layerSchemas, type Asked, type Layer } from './layer';
import type { FieldSchema } from './schema.gen';
import { quoteValue, tokenize, unquoteValue, type Token } from './filterText';

/** What is being typed at the caret, and which part of the text a suggestion replaces. */
export type CaretPlace =
  | { kind: 'key'; prefix: string; start: number; end: number }
  | { kind: 'value'; key: string; prefix: string; start: number; end: number };

export interface Suggestion {
  text: string;
  label: string;
  hint: string;
  /** Whether the caret belongs right behind it, to go on typing. */
  goesOn: boolean;
}

/** The field whose values can be listed: those of the sums. */
export function filterField(layer: Layer, name: string): FieldSchema | undefined {
  return layerSchemas[layer].fields.sums.find((field) => field.name === name);
}

export function placeOfCaret(text: string, caret: number): CaretPlace {
  const tokens = tokenize(text);
  const at = tokens.findIndex((token) => token.start < caret && caret <= token.end);
  const token = tokens[at];
  if (!token || token.kind === 'space' || token.kind === 'minus') {
    return listPlace(tokens, at, caret) ?? { kind: 'key', prefix: '', start: caret, end: caret };
  }
  if (token.kind === 'colon') {
    const key = tokens[at - 1]?.text ?? '';
    return { kind: 'value', key, prefix: '', start: caret, end: caret };
  }
  if (token.kind === 'bracket') {
    return listPlace(tokens, at, caret) ?? { kind: 'key', prefix: '', start: caret, end: caret };
  }
  const before = tokens[at - 1];
  const prefix = text.slice(token.start, caret);
  if (before?.kind === 'colon') {
    const key = tokens[at - 2]?.text ?? '';
    return { kind: 'value', key, prefix: unquoteValue(prefix), start: token.start, end: token.end };
  }
  const list = listPlace(tokens, at, caret);
  if (list?.kind === 'value') {
    return { ...list, prefix: unquoteValue(prefix), start: token.start, end: token.end };
  }
  return { kind: 'key', prefix, start: token.start, end: token.end };
}

/** Inside `key:( ... ` the next word is a value of that key. */
function listPlace(tokens: readonly Token[], at: number, caret: number): CaretPlace | null {
  const last = at < 0 ? tokens.length - 1 : at;
  for (let index = last; index >= 0; index -= 1) {
    const text = tokens[index]?.text;
    if (text === ')' || text === ']') return null;
    if (text === '(' && tokens[index - 1]?.kind === 'colon') {
      const key = tokens[index - 2]?.text ?? '';
      return { kind: 'value', key, prefix: '', start: caret, end: caret };
    }
  }
  return null;
}

/** Fields that begin with what was typed, then those that contain it. */
export function suggestKeys(
  layer: Layer,
  asked: Asked,
  prefix: string,
  limit: number,
): Suggestion[] {
  const wanted = prefix.toLowerCase();
  const fields = layerSchemas[layer].fields[asked];
  const starts = fields.filter((field) => field.name.startsWith(wanted));
  const holds = fields.filter(
    (field) => !field.name.startsWith(wanted) && field.name.includes(wanted),
  );
  return [...starts, ...holds].slice(0, limit).map((field) => ({
    text: `${field.name}:`,
    label: field.name,
    hint: fieldDoc(field),
    goesOn: true,
  }));
}

export function suggestValues(
  values: readonly { value: string | null; count: number }[],
  prefix: string,
  limit: number,
): Suggestion[] {
  const wanted = prefix.toLowerCase();
  const fitting = values.filter(({ value }) => (value ?? '*').toLowerCase().includes(wanted));
  return fitting.slice(0, limit).map(({ value, count }) => ({
    text: value === null ? '*' : quoteValue(value),
    label: value ?? '* (any value)',
    hint: count.toLocaleString('en-US'),
    goesOn: false,
  }));
}

/** The text with the suggestion in place, and where the caret goes. */
export function applySuggestion(
  text: string,
  place: CaretPlace,
  suggestion: Suggestion,
): { text: string; caret: number } {
  const tail = text.slice(place.end);
  const closing = suggestion.goesOn || tail.startsWith(' ') || tail.startsWith(')') ? '' : ' ';
  const head = text.slice(0, place.start) + suggestion.text + closing;
  return { text: head + tail, caret: head.length };
}
