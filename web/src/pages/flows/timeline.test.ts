import { describe, expect, it } from 'vitest';
import type { SeriesAnswer } from '../../api/types';
import { chosen, timelineLines, timelineQuestion, timelines } from './timeline';

function answer(series: SeriesAnswer['series']): SeriesAnswer {
  return {
    window: { from_ms: 0, to_ms: 20_000, resolution_s: 10 },
    step_s: 10,
    times_ms: [0, 10_000],
    series,
    incomplete: [],
  };
}

const [byClass] = timelines.l7.stacks;
const [requests] = timelines.l7.shown;

describe('the timeline of requests', () => {
  const status = (code: string | null, values: (number | null)[]) => ({
    is_rest: false,
    group: { status: code },
    metrics: { requests: values },
  });

  it('asks for the codes of status and stacks their classes, per second', () => {
    expect(timelineQuestion(byClass, requests)).toEqual({
      metrics: ['requests'],
      groupBy: 'status',
    });
    const series = [
      status('503', [null, 5]),
      status('200', [20, 10]),
      status('204', [10, 0]),
      status(null, [10, null]),
      { is_rest: true, metrics: { requests: [0, 10] } },
    ];
    const lines = timelineLines(answer(series), byClass, requests);
    expect(lines.map(({ label, color, drawn }) => [label, color, drawn])).toEqual([
      ['2xx', 'ok', [3, 1]],
      ['5xx', 'server-error', [3, 1.5]],
      ['no answer', 'none', [4, 1.5]],
      ['others', 5, [4, 2.5]],
    ]);
  });

  it('stacks by a field by its values', () => {
    const stack = chosen(timelines.l7.stacks, 'method');
    expect(timelineQuestion(stack, requests)).toEqual({
      metrics: ['requests'],
      groupBy: 'method',
    });
    const line = (method: string, values: number[]) => ({
      is_rest: false,
      group: { method },
      metrics: { requests: values },
    });
    const lines = timelineLines(
      answer([line('POST', [10, 0]), line('GET', [30, 10])]),
      stack,
      requests,
    );
    expect(lines.map(({ label, drawn }) => [label, drawn])).toEqual([
      ['GET', [3, 1]],
      ['POST', [4, 1]],
    ]);
  });
});

describe('the timeline of flows', () => {
  const [byDirection] = timelines.l4.stacks;
  const [traffic] = timelines.l4.shown;

  it('adds both directions', () => {
    const metrics = { bytes_sent: [10, null], bytes_received: [30, 50] };
    const group = { direction: 'outgoing' };
    const lines = timelineLines(answer([{ is_rest: false, group, metrics }]), byDirection, traffic);
    expect(lines[0]?.own).toEqual([4, 5]);
  });

  it('shows the first choice where the address names none', () => {
    expect(chosen(timelines.l4.stacks, 'class')).toBe(byDirection);
    expect(chosen(timelines.l4.shown, 'connections').value).toBe('connections');
  });
});
