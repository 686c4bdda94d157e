import { describe, expect, it } from 'vitest';
import { statusText, statusTone } from './status';

describe('how a request ended', () => {
  it.each([
    [200, null, 'answered', '200', 'ok'],
    [304, null, 'answered', '304', 'redirect'],
    [404, null, 'answered', '404', 'client-error'],
    [503, null, 'answered', '503', 'server-error'],
    [200, 0, 'answered', 'OK', 'ok'],
    [200, 5, 'answered', 'NOT_FOUND', 'server-error'],
    [200, 99, 'answered', 'code 99', 'server-error'],
    [415, 13, 'answered', '415, INTERNAL', 'client-error'],
    [null, null, 'unanswered', 'no answer', 'none'],
    [200, null, 'aborted', '200, broken off', 'server-error'],
    [null, null, null, 'no answer', 'none'],
  ])('%j, gRPC %j, %j', (status, grpcStatus, outcome, text, tone) => {
    const end = { status, grpcStatus, outcome };
    expect(statusText(end)).toBe(text);
    expect(statusTone(end)).toBe(tone);
  });
});
