// One way to call the API: a path, parameters, and an answer or a problem.

const base = '/api/v1';

export interface ProblemInit {
  status: number;
  title: string;
  detail: string;
  parameter?: string | null;
  position?: number | null;
  length?: number | null;
  expected?: string | null;
  didYouMean?: string | null;
  filter?: string | null;
}

/** What went wrong, as the server says it (RFC 9457), or as the network did. */
export class Problem extends Error {
  readonly status: number;
  readonly title: string;
  /** The parameter that is wrong, and where in its text, in characters from 0. */
  readonly parameter: string | null;
  readonly position: number | null;
  readonly length: number;
  readonly expected: string | null;
  readonly didYouMean: string | null;
  /** The filter that was asked with, for telling which text the position belongs to. */
  readonly filter: string | null;

  constructor(init: ProblemInit) {
    super(init.detail);
    this.name = 'Problem';
    this.status = init.status;
    this.title = init.title;
    this.parameter = init.parameter ?? null;
    this.position = init.position ?? null;
    this.length = init.length ?? 0;
    this.expected = init.expected ?? null;
    this.didYouMean = init.didYouMean ?? null;
    this.filter = init.filter ?? null;
  }
}

export type ParamValue = string | number | undefined | null;
export type Params = Record<string, ParamValue>;

export function queryText(params: Params): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== '') query.set(key, String(value));
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

export async function getJson<T>(path: string, params: Params, signal?: AbortSignal): Promise<T> {
  const filter = typeof params['filter'] === 'string' ? params['filter'] : null;
  return request<T>(base + path + queryText(params), { signal }, filter);
}

/** Hands over text piece by piece as it comes, until its end or until the signal says stop. */
export async function readText(
  path: string,
  params: Params,
  signal: AbortSignal,
  take: (piece: string) => void,
): Promise<void> {
  const url = base + path + queryText(params);
  const response = await answerTo(url, { signal, headers: { Accept: 'text/plain' } }, null);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    take(value);
  }
}

async function request<T>(url: string, init: RequestInit, filter: string | null): Promise<T> {
  const headers = { Accept: 'application/json', ...init.headers };
  const response = await answerTo(url, { ...init, headers }, filter);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

/** The answer, where it is a good one. */
async function answerTo(url: string, init: RequestInit, filter: string | null): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (cause) {
    if (init.signal?.aborted) throw cause;
    throw new Problem({
      status: 0,
      title: 'The server cannot be reached',
      detail: 'No answer came back. Is weir still running at this address?',
    });
  }
  if (!response.ok) throw await readProblem(response, filter);
  return response;
}

function asText(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function asNumber(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}

async function readProblem(response: Response, filter: string | null): Promise<Problem> {
  const fallback = `The server answered ${response.status} ${response.statusText}`.trim();
  let body: Record<string, unknown> = {};
  try {
    body = (await response.json()) as Record<string, unknown>;
  } catch {
    // Not a problem document: a proxy in between, say. The status line has to do.
  }
  return new Problem({
    status: response.status,
    title: asText(body['title']) ?? fallback,
    detail: asText(body['detail']) ?? fallback,
    parameter: asText(body['parameter']),
    position: asNumber(body['position']),
    length: asNumber(body['length']),
    expected: asText(body['expected']),
    didYouMean: asText(body['did_you_mean']),
    filter,
  });
}

/** Trades a token for a session cookie that scripts cannot read. */
export function signIn(token: string): Promise<void> {
  const init: RequestInit = {
    method: 'POST',
    body: JSON.stringify({ token }),
    headers: { 'Content-Type': 'application/json' },
  };
  return request<void>(`${base}/session`, init, null);
}

export function signOut(): Promise<void> {
  return request<void>(`${base}/session`, { method: 'DELETE' }, null);
}
