// A log that is being read: its lines so far, and how it stands. Reading ends with whoever asked.
import { useCallback, useEffect, useState } from 'react';
import { readLog, type LogOptions } from '../api/questions';
import { addText, emptyLog, endText, type LogText } from '../domain/logText';

export interface ReadLog {
  log: LogText;
  state: 'opening' | 'reading' | 'ended' | 'failed';
  error: Error | null;
  again: () => void;
}

/** Milliseconds between two looks at what came: a log may come faster than it can be drawn. */
const drawEveryMs = 100;

type Held = Omit<ReadLog, 'again'>;

const opening: Held = { log: emptyLog, state: 'opening', error: null };

export function useLog(options: LogOptions): ReadLog {
  const { entity, container, lines, isFollowed } = options;
  const [turn, setTurn] = useState(0);
  const [held, setHeld] = useState<Held>(opening);
  useEffect(() => {
    const stop = new AbortController();
    let log = emptyLog;
    let timer: number | undefined;
    const show = (state: Held['state'], error: Error | null = null) => {
      window.clearTimeout(timer);
      timer = undefined;
      if (!stop.signal.aborted) setHeld({ log, state, error });
    };
    setHeld(opening);
    readLog({ entity, container, lines, isFollowed }, stop.signal, (piece) => {
      log = addText(log, piece);
      timer ??= window.setTimeout(() => show('reading'), drawEveryMs);
    }).then(
      () => {
        log = endText(log);
        show('ended');
      },
      (cause: unknown) => show('failed', cause instanceof Error ? cause : new Error(String(cause))),
    );
    return () => {
      stop.abort();
      window.clearTimeout(timer);
    };
  }, [entity, container, lines, isFollowed, turn]);
  return { ...held, again: useCallback(() => setTurn((last) => last + 1), []) };
}
