import { afterEach, describe, expect, it, vi } from 'vitest';
import { getJson, Problem, queryText } from './client';

function answer(status: number, body: string): void {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(body, { status, statusText: 'Oops' })));
}

async function problemOf(asked: Promise<unknown>): Promise<Problem> {
  const failure: unknown = await asked.then(
    () => null,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(Problem);
  return failure as Problem;
}

describe('the API client', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('leaves out what is not given', () => {
    expect(queryText({ a: 1, b: '', c: undefined, d: null, e: 'x y' })).toBe('?a=1&e=x+y');
    expect(queryText({})).toBe('');
  });

  it('reads a problem document', async () => {
    answer(
      400,
      JSON.stringify({
        title: 'T',
        detail: 'D',
        parameter: 'filter',
        position: 3,
        length: 2,
        expected: 'E',
        did_you_mean: 'M',
      }),
    );
    const problem = await problemOf(getJson('/summary', { filter: 'abcde' }));
    expect(problem).toMatchObject({
      status: 400,
      title: 'T',
      message: 'D',
      parameter: 'filter',
      position: 3,
      length: 2,
      expected: 'E',
      didYouMean: 'M',
      filter: 'abcde',
    });
  });

  it('makes do with the status line where a proxy answers', async () => {
    answer(502, '<html>bad gateway</html>');
    const problem = await problemOf(getJson('/summary', {}));
    expect(problem).toMatchObject({
      status: 502,
      title: 'The server answered 502 Oops',
      position: null,
    });
  });

  it('says that nobody answered', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('network')));
    const problem = await problemOf(getJson('/summary', {}));
    expect(problem).toMatchObject({ status: 0, title: 'The server cannot be reached' });
  });

  it('a cancelled question is not a problem', async () => {
    const abort = new DOMException('aborted', 'AbortError');
    vi.stubGlobal('fetch', () => Promise.reject(abort));
    await expect(getJson('/summary', {}, AbortSignal.abort())).rejects.toBe(abort);
  });
});
