// How one request ended: its status in words, with a mark for the class whose shape differs too.
import { useComputedColorScheme } from '@mantine/core';
import { seriesColor, type StatusTone } from '../base/palette';
import { statusText, statusTone, type RequestEnd } from '../domain/status';
import classes from './StatusMark.module.css';

/** Round where it went well, pointed where the client was at fault, square where the server was. */
const shapes: Record<StatusTone, string> = {
  ok: 'M5 1a4 4 0 1 0 .01 0z',
  redirect: 'M1 3h5V1l3 4l-3 4V7H1z',
  'client-error': 'M5 0.8L9.4 8.8H0.6z',
  'server-error': 'M1.2 1.2h7.6v7.6H1.2z',
  none: 'M1 4h8v2H1z',
};

export function StatusMark({ end }: { end: RequestEnd }) {
  const scheme = useComputedColorScheme('light');
  const tone = statusTone(end);
  return (
    <span className={classes.status} data-tone={tone} title={statusText(end)}>
      <svg width="10" height="10" viewBox="0 0 10 10" aria-hidden>
        <path d={shapes[tone]} fill={seriesColor(scheme, tone)} />
      </svg>
      <span className={classes.text}>{statusText(end)}</span>
    </span>
  );
}
