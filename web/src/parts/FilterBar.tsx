// The search box: the filter as text, coloured by what each word is, completed while it is typed,
// and underlined where the server could not read it.
import { ActionIcon, Kbd } from '@mantine/core';
import { IconSearch, IconX } from '@tabler/icons-react';
import { useEffect, useId, useRef, useState, type KeyboardEvent } from 'react';
import { focusTargets } from '../base/keyboard';
import { applySuggestion, placeOfCaret, type Suggestion } from '../domain/completion';
import { useFilterProblem } from '../state/filterProblem';
import { useSuggestions } from '../state/suggestions';
import { useView } from '../state/view';
import { FilterMirror } from './FilterMirror';
import classes from './FilterBar.module.css';

export function FilterBar() {
  const { view, setView } = useView();
  const [draft, setDraft] = useState(view.filter);
  const [caret, setCaret] = useState(0);
  const [focused, setFocused] = useState(false);
  const [listed, setListed] = useState(false);
  const [active, setActive] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const [scroll, setScroll] = useState(0);
  const listId = useId();

  useEffect(() => setDraft(view.filter), [view.filter]);

  const committed = view.filter.trim();
  const problem = useFilterProblem(committed);
  const shownProblem = problem && draft.trim() === committed ? problem : null;
  const place = placeOfCaret(draft, caret);
  const suggestions = useSuggestions(place, listed);
  const open = listed && focused && suggestions.length > 0;

  const commit = (text: string) => {
    setListed(false);
    setActive(-1);
    setView({ filter: text.trim() === '' ? undefined : text.trim() });
  };

  const take = (suggestion: Suggestion) => {
    const next = applySuggestion(draft, place, suggestion);
    setDraft(next.text);
    setActive(-1);
    setListed(true);
    requestAnimationFrame(() => {
      input.current?.setSelectionRange(next.caret, next.caret);
      setCaret(next.caret);
    });
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const chosen = suggestions[active];
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      const step = event.key === 'ArrowDown' ? 1 : -1;
      setListed(true);
      if (open) setActive((now) => (now + step + suggestions.length) % suggestions.length);
    } else if (event.key === 'Tab' && open && !event.shiftKey) {
      event.preventDefault();
      take(chosen ?? (suggestions[0] as Suggestion));
    } else if (event.key === 'Enter') {
      event.preventDefault();
      if (open && chosen) take(chosen);
      else commit(draft);
    } else if (event.key === 'Escape') {
      event.preventDefault();
      if (open) setListed(false);
      else input.current?.blur();
    }
  };

  const onCaret = () => {
    setCaret(input.current?.selectionStart ?? draft.length);
    setScroll(input.current?.scrollLeft ?? 0);
  };

  return (
    <div className={classes.bar} data-problem={shownProblem !== null || undefined}>
      <IconSearch size={15} stroke={1.7} className={classes.glass} aria-hidden />
      <div className={classes.field}>
        <FilterMirror text={draft} problem={shownProblem} scroll={scroll} />
        <input
          id={focusTargets.search}
          ref={input}
          className={classes.input}
          value={draft}
          placeholder="Filter, for example  server_port:443 -client_process:curl"
          spellCheck={false}
          autoComplete="off"
          role="combobox"
          aria-label="Filter"
          aria-expanded={open}
          aria-controls={listId}
          aria-activedescendant={open && active >= 0 ? `${listId}-${active}` : undefined}
          aria-invalid={shownProblem !== null}
          onChange={(event) => {
            setDraft(event.currentTarget.value);
            setCaret(event.currentTarget.selectionStart ?? 0);
            setListed(true);
            setActive(-1);
          }}
          onKeyDown={onKeyDown}
          onSelect={onCaret}
          onScroll={onCaret}
          onFocus={() => setFocused(true)}
          onClick={() => setListed(true)}
          onBlur={() => {
            setFocused(false);
            setListed(false);
            if (draft.trim() !== committed) commit(draft);
          }}
        />
      </div>
      {draft !== '' && (
        <ActionIcon
          size="sm"
          aria-label="Clear the filter"
          onClick={() => {
            setDraft('');
            commit('');
          }}
        >
          <IconX size={14} />
        </ActionIcon>
      )}
      {draft === '' && !focused && <Kbd size="xs">/</Kbd>}
      {open && (
        <SuggestionList
          id={listId}
          suggestions={suggestions}
          active={active}
          heading={place.kind === 'key' ? 'Fields' : `Values of ${place.key}`}
          onTake={take}
        />
      )}
      {shownProblem && !open && (
        <div className={classes.problem} role="alert">
          <strong>{shownProblem.message}</strong>
          {shownProblem.expected && <div>Expected: {shownProblem.expected}</div>}
          {shownProblem.didYouMean && <div>Did you mean {shownProblem.didYouMean}?</div>}
        </div>
      )}
    </div>
  );
}

interface SuggestionListProps {
  id: string;
  suggestions: readonly Suggestion[];
  active: number;
  heading: string;
  onTake: (suggestion: Suggestion) => void;
}

function SuggestionList({ id, suggestions, active, heading, onTake }: SuggestionListProps) {
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    list.current?.children[active]?.scrollIntoView({ block: 'nearest' });
  }, [active]);
  return (
    <div className={classes.suggestions}>
      <div className={classes.heading}>{heading}</div>
      <ul id={id} role="listbox" ref={list} className={classes.list} aria-label={heading}>
        {suggestions.map((suggestion, index) => (
          <li
            key={suggestion.label}
            id={`${id}-${index}`}
            role="option"
            aria-selected={index === active}
            className={classes.suggestion}
            onMouseDown={(event) => {
              event.preventDefault();
              onTake(suggestion);
            }}
          >
            <span className={classes.suggestionLabel}>{suggestion.label}</span>
            <span className={classes.suggestionHint}>{suggestion.hint}</span>
          </li>
        ))}
      </ul>
      <div className={classes.footer}>
        <span>
          <Kbd size="xs">Tab</Kbd> complete
        </span>
        <span>
          <Kbd size="xs">Enter</Kbd> apply
        </span>
        <span className={classes.grammar}>
          -key:value · key:(a OR b) · rtt_us:[1000 - 5000] · ip:10.0.0.0/8
        </span>
      </div>
    </div>
  );
}
