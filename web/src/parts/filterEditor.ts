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
  const [isListed, setListed] = useState(false);
  const [active, setActive] = useState(-1);
  useEffect(() => setDraft(view.filter), [view.filter]);
  const placed = useCaretPlacing(input, draft);

  const committed = view.filter.trim();
  const isPending = draft.trim() !== committed;
  const problem = useFilterProblem(committed);
  const place = placeOfCaret(draft, caret);
  const suggestions = useSuggestions(place, isListed);
  const isOpen = isListed && isFocused && suggestions.length > 0;

  const close = () => {
    setListed(false);
    setActive(-1);
  };
  const commit = (text: string) => {
    close();
    setView({ filter: text.trim() === '' ? undefined : text.trim() });
  };
  const take = (suggestion: Suggestion) => {
    const next = applySuggestion(draft, place, suggestion);
    setDraft(next.text);
    setCaret(next.caret);
    setActive(-1);
    setListed(true);
    placed.current = next.caret;
  };
  const step = (by: number) => {
    setListed(true);
    const { length } = suggestions;
    if (isOpen) setActive((now) => (now < 0 && by < 0 ? length - 1 : (now + by + length) % length));
  };
  return {
    input,
    draft,
    isPending,
    isFocused,
    problem: isPending ? null : problem,
    scroll,
    place,
    suggestions,
    isOpen,
    active,
    take,
    commit,
    type: (text, at) => {
      setDraft(text);
      setCaret(at);
      setListed(true);
      setActive(-1);
    },
    clear: () => {
      setDraft('');
      commit('');
    },
    list: () => setListed(true),
    focus: (focused) => {
      setFocused(focused);
      if (!focused) close();
    },
    moveCaret: () => {
      setCaret(input.current?.selectionStart ?? draft.length);
      setScroll(input.current?.scrollLeft ?? 0);
    },
    onKeyDown: keyHandler({
      isOpen,
      chosen: suggestions[active],
      first: suggestions[0],
      step,
      take,
      close,
      commit: () => commit(draft),
      leave: () => input.current?.blur(),
    }),
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

interface EditorKeys {
  isOpen: boolean;
  chosen: Suggestion | undefined;
  first: Suggestion | undefined;
  step: (by: number) => void;
  take: (suggestion: Suggestion) => void;
  close: () => void;
  commit: () => void;
  leave: () => void;
}

function keyHandler(keys: EditorKeys): (event: KeyboardEvent) => void {
  const { isOpen, chosen } = keys;
  const wanted = chosen ?? keys.first;
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
