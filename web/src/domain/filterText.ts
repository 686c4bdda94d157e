// The filter language as text: where its words begin and end. Pure.
// It cuts text up for colouring, completion and editing; what a filter means is the server's.

export type TokenKind =
  'space' | 'key' | 'colon' | 'value' | 'phrase' | 'word' | 'operator' | 'minus' | 'bracket';

export interface Token {
  kind: TokenKind;
  text: string;
  start: number;
  end: number;
}

const keyAhead = /[A-Za-z_][A-Za-z0-9_]*(?=\s*(?::|>=|<=|>|<|=))/y;
const operatorAhead = /(?:AND|OR|NOT|TO)(?![^\s()])/y;
const comparison = /(?::|>=|<=|>|<|=)+/y;
const phrase = /"(?:\\.|[^"\\])*"?/y;
const plain = /(?:\\.|[^\s()[\]"])+/y;

function matchAt(pattern: RegExp, text: string, at: number): string | null {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? null;
}

/** Every character of the text belongs to exactly one token. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let afterColon = false;
  while (at < text.length) {
    const { kind, length } = nextToken(text, at, afterColon);
    tokens.push({ kind, text: text.slice(at, at + length), start: at, end: at + length });
    afterColon = kind === 'colon';
    at += length;
  }
  return tokens;
}

function nextToken(
  text: string,
  at: number,
  afterColon: boolean,
): { kind: TokenKind; length: number } {
  const space = matchAt(/\s+/y, text, at);
  if (space) return { kind: 'space', length: space.length };
  const char = text.charAt(at);
  if ('()[]'.includes(char)) return { kind: 'bracket', length: 1 };
  if (char === '"') return { kind: 'phrase', length: matchAt(phrase, text, at)?.length ?? 1 };
  const opens = at === 0 || /[\s(]/.test(text.charAt(at - 1));
  if (char === '-' && opens && !/\s|^$/.test(text.charAt(at + 1))) {
    return { kind: 'minus', length: 1 };
  }
  const operator = opens ? matchAt(operatorAhead, text, at) : null;
  if (operator) return { kind: 'operator', length: operator.length };
  const key = afterColon ? null : matchAt(keyAhead, text, at);
  if (key) return { kind: 'key', length: key.length };
  const signs = matchAt(comparison, text, at);
  if (signs) return { kind: 'colon', length: signs.length };
  const rest = matchAt(plain, text, at) ?? char;
  return { kind: afterColon ? 'value' : 'word', length: rest.length };
}

/** One part of a filter between its outermost spaces. */
export interface Clause {
  start: number;
  end: number;
  text: string;
}

/** The outermost parts; brackets and quotes hold together what they enclose. */
export function splitClauses(text: string): Clause[] {
  const clauses: Clause[] = [];
  let start = -1;
  let depth = 0;
  for (const token of tokenize(text)) {
    if (token.kind === 'bracket') depth += '(['.includes(token.text) ? 1 : -1;
    if (token.kind === 'space' && depth <= 0) {
      if (start >= 0)
        clauses.push({ start, end: token.start, text: text.slice(start, token.start) });
      start = -1;
    } else if (start < 0) {
      start = token.start;
    }
  }
  if (start >= 0) clauses.push({ start, end: text.length, text: text.slice(start) });
  return clauses;
}

const plainValue = /^[A-Za-z0-9_.@/+%][A-Za-z0-9_.@/+%-]*$/;

/** A value as it must be written so that it means exactly itself. */
export function quoteValue(value: string): string {
  if (plainValue.test(value) && !/^(AND|OR|NOT|TO)$/.test(value)) return value;
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

export function unquoteValue(text: string): string {
  if (!text.startsWith('"')) return text.replace(/\\(.)/g, '$1');
  return text
    .slice(1, text.endsWith('"') && text.length > 1 ? -1 : undefined)
    .replace(/\\(.)/g, '$1');
}
