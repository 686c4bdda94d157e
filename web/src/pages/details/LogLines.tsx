// The lines of a log: only those in sight are drawn; at the end one stays at the end.
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef } from 'react';
import { readLine, type LogText } from '../../domain/logText';
import { formatMomentExact, formatMomentMs } from '../../domain/time';
import classes from './overview.module.css';

const lineHeight = 19;

interface LogLinesProps {
  log: LogText;
  /** Places of the lines to show; null: all. */
  found: readonly number[] | null;
  search: string;
}

export function LogLines({ log, found, search }: LogLinesProps) {
  const scroll = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const count = found?.length ?? log.lines.length;
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => scroll.current,
    estimateSize: () => lineHeight,
    overscan: 20,
  });
  const last = log.gone + log.lines.length;
  useEffect(() => {
    if (isAtEnd.current && scroll.current) scroll.current.scrollTop = scroll.current.scrollHeight;
  }, [last, count]);
  const onScroll = () => {
    const { current: box } = scroll;
    if (box) isAtEnd.current = box.scrollHeight - box.scrollTop - box.clientHeight < 2 * lineHeight;
  };
  return (
    <div
      ref={scroll}
      className={classes.log}
      role="log"
      aria-live="off"
      aria-label="Lines of the log"
      tabIndex={0}
      onScroll={onScroll}
    >
      <div className={classes.logLines} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const at = found?.[item.index] ?? item.index;
          const line = readLine(log.lines[at] ?? '', log.gone + at);
          return (
            <div
              key={line.number}
              className={classes.logLine}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              {line.timeMs !== null && (
                <time title={formatMomentExact(line.timeMs)}>{formatMomentMs(line.timeMs)}</time>
              )}
              <Marked text={line.text} search={search} />
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Marked({ text, search }: { text: string; search: string }) {
  const at = search === '' ? -1 : text.toLowerCase().indexOf(search.toLowerCase());
  if (at < 0) return <span>{text}</span>;
  return (
    <span>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + search.length)}</mark>
      {text.slice(at + search.length)}
    </span>
  );
}
