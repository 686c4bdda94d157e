import { describe, expect, it } from 'vitest';
import {
  addText,
  emptyLog,
  endText,
  findLines,
  logLineMax,
  logLinesMax,
  readLine,
} from './logText';

describe('the text of a log', () => {
  it('comes in pieces that end anywhere', () => {
    const log = ['one\ntw', 'o', '\n', 'thr'].reduce(addText, emptyLog);
    expect(log).toEqual({ lines: ['one', 'two'], gone: 0, rest: 'thr' });
    expect(endText(log).lines).toEqual(['one', 'two', 'thr']);
    expect(endText(endText(log))).toEqual(endText(log));
  });

  it('is bounded, the oldest lines go', () => {
    const many = Array.from({ length: logLinesMax + 10 }, (_, at) => `${at}\n`);
    const piecewise = many.reduce(addText, emptyLog);
    const atOnce = addText(emptyLog, many.join(''));
    for (const log of [piecewise, atOnce]) {
      expect(log.lines.length).toBe(logLinesMax);
      expect([log.lines[0], log.gone]).toEqual(['10', 10]);
      expect(log.lines.at(-1)).toBe(String(logLinesMax + 9));
    }
  });

  it('is bounded in a line without end', () => {
    let log = emptyLog;
    for (let at = 0; at < 10; at += 1) log = addText(log, 'x'.repeat(logLineMax));
    expect(log.rest.length).toBe(logLineMax);
    expect(endText(log).lines[0]?.length).toBe(logLineMax);
  });

  it('has times in front, where there are any', () => {
    const line = readLine('2026-11-22T08:00:01.5Z GET /', 7);
    expect(line).toEqual({
      number: 7,
      timeMs: Date.parse('2026-11-22T08:00:01.500Z'),
      text: 'GET /',
    });
    expect(readLine('no time here', 8)).toEqual({ number: 8, timeMs: null, text: 'no time here' });
    expect(readLine('2026-99-99T08:00:01Z x', 9).timeMs).toBeNull();
  });

  it('is searched in any case of letters', () => {
    expect(findLines(['GET /', 'Warn: slow', 'WARN'], 'warn')).toEqual([1, 2]);
    expect(findLines(['a'], '  ')).toBeNull();
  });
});
