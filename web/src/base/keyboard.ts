// Keyboard shortcuts: single keys and two-key sequences, silent while someone types.
import { useEffect, useRef } from 'react';

/** How long after the first key of a sequence the second one still counts. */
const sequenceMs = 1200;

export type Shortcuts = Record<string, () => void>;

export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

/** `{ '/': ..., 'g s': ... }`; keys as `KeyboardEvent.key` gives them. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const current = useRef(shortcuts);
  useEffect(() => {
    current.current = shortcuts;
  });
  useEffect(() => {
    let first: { key: string; at: number } | null = null;
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key !== 'Escape' && isTyping(event.target)) return;
      const now = event.timeStamp;
      const sequence = first && now - first.at < sequenceMs ? `${first.key} ${event.key}` : null;
      const action = (sequence && current.current[sequence]) || current.current[event.key];
      const begins = Object.keys(current.current).some((keys) => keys.startsWith(`${event.key} `));
      first = begins && !action ? { key: event.key, at: now } : null;
      if (!action) return;
      event.preventDefault();
      action();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, []);
}

/** Names of the elements that a shortcut puts the focus on. */
export const focusTargets = { search: 'weir-search', time: 'weir-time' } as const;
