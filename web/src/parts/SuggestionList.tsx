// What could come next in the search box.
import { Kbd } from '@mantine/core';
import { useEffect, useRef } from 'react';
import type { Suggestion } from '../domain/completion';
import classes from './FilterBar.module.css';

interface SuggestionListProps {
  id: string;
  suggestions: readonly Suggestion[];
  active: number;
  heading: string;
  onTake: (suggestion: Suggestion) => void;
}

export function SuggestionList({ id, suggestions, active, heading, onTake }: SuggestionListProps) {
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
