// What the search box remembers while someone types: the draft, the caret, the open suggestions.
// Only Enter turns the draft into the filter of the view.
import {
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  type KeyboardEvent,
  type RefObject,
} from 'react';
import type { Problem } from '../api/client';
import {
  applySuggestion,
  placeOfCaret,
  type CaretPlace,
  type Suggestion,
} from '../domain/completion';
import { useFilterProblem } from '../state/filterProblem';
import { useSuggestions } from '../state/suggestions';
import { useView } from '../state/view';

export interface FilterEditor {
  input: RefObject<HTMLInputElement | null>;
  draft: string;
  /** Whether Enter would change the view. */
  isPending: boolean;
  isFocused: boolean;
  problem: Problem | null;
  /** How far the text is scrolled inside the box, pixels. */
  scroll: number;
  place: CaretPlace;
  suggestions: readonly Suggestion[];
  isOpen: boolean;
  active: number;
  type: (text: string, caret: number) => void;
  take: (suggestion: Suggestion) => void;
  commit: (text: string) => void;
  clear: () => void;
  list: () => void;
  focus: (focused: boolean) => void;
  moveCaret: () => void;
  onKeyDown: (event: KeyboardEvent) => void;
}

export function useFilterEditor(): FilterEditor {
  const { view, setView } = useView();
  const input = useRef<HTMLInputElement>(null);
  const [draft, setDraft] = useState(view.filter);
  const [caret, setCaret] = useState(0);
  const [scroll, setScroll] = useState(0);
  const [isFocused, setFocused] = useState(false);
  useEffect(() => setDraft(view.filter), [view.filter]);
  const placed = useCaretPlacing(input, draft);

  const committed = view.filter.trim();
  const isPending = draft.trim() !== committed;
  const problem = useFilterProblem(committed);
  const place = placeOfCaret(draft, caret);
  const list = useSuggestionList(place, isFocused);

  const commit = (text: string) => {
    list.close();
    setView({ filter: text.trim() === '' ? undefined : text.trim() });
  };
  const take = (suggestion: Suggestion) => {
    const next = applySuggestion(draft, place, suggestion);
    setDraft(next.text);
    setCaret(next.caret);
    list.restart();
    placed.current = next.caret;
  };
  return {
    ...list,
    input,
    draft,
    isPending,
    isFocused,
    problem: isPending ? null : problem,
    scroll,
    place,
    take,
    commit,
    type: (text, at) => {
      setDraft(text);
      setCaret(at);
      list.restart();
    },
    clear: () => {
      setDraft('');
      commit('');
    },
    focus: (focused) => {
      setFocused(focused);
      if (!focused) list.close();
    },
    moveCaret: () => {
      setCaret(input.current?.selectionStart ?? draft.length);
      setScroll(input.current?.scrollLeft ?? 0);
    },
    onKeyDown: keyHandler({
      ...list,
      take,
      commit: () => commit(draft),
      leave: () => input.current?.blur(),
    }),
  };
}

interface SuggestionState {
  suggestions: readonly Suggestion[];
  isOpen: boolean;
  active: number;
  list: () => void;
  restart: () => void;
  close: () => void;
  step: (by: number) => void;
}

function useSuggestionList(place: CaretPlace, isFocused: boolean): SuggestionState {
  const [isListed, setListed] = useState(false);
  const [active, setActive] = useState(-1);
  const suggestions = useSuggestions(place, isListed);
  const isOpen = isListed && isFocused && suggestions.length > 0;
  const { length } = suggestions;
  const turn = (now: number, by: number) =>
    now < 0 && by < 0 ? length - 1 : (now + by + length) % length;
  const set = (listed: boolean) => {
    setListed(listed);
    setActive(-1);
  };
  return {
    suggestions,
    isOpen,
    active,
    list: () => setListed(true),
    restart: () => set(true),
    close: () => set(false),
    step: (by) => {
      setListed(true);
      if (isOpen) setActive((now) => turn(now, by));
    },
  };
}

/** Puts the caret where a suggestion wants it, before the next key can arrive. */
function useCaretPlacing(input: RefObject<HTMLInputElement | null>, draft: string) {
  const placed = useRef<number | null>(null);
  useLayoutEffect(() => {
    if (placed.current === null) return;
    input.current?.setSelectionRange(placed.current, placed.current);
    placed.current = null;
  }, [input, draft]);
  return placed;
}

interface EditorKeys extends SuggestionState {
  take: (suggestion: Suggestion) => void;
  commit: () => void;
  leave: () => void;
}

function keyHandler(keys: EditorKeys): (event: KeyboardEvent) => void {
  const { isOpen, suggestions, active } = keys;
  const chosen = suggestions[active];
  const wanted = chosen ?? suggestions[0];
  return (event) => {
    if (event.key === 'ArrowDown') keys.step(1);
    else if (event.key === 'ArrowUp') keys.step(-1);
    else if (event.key === 'Tab' && isOpen && !event.shiftKey && wanted) keys.take(wanted);
    else if (event.key === 'Enter' && isOpen && chosen) keys.take(chosen);
    else if (event.key === 'Enter') keys.commit();
    else if (event.key === 'Escape' && isOpen) keys.close();
    else if (event.key === 'Escape') keys.leave();
    else return;
    event.preventDefault();
  };
}
