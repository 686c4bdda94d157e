// The search box: the filter as text, coloured by what each word is, completed while it is typed,
// and underlined where the server could not read it.
import { ActionIcon, Button, Kbd } from '@mantine/core';
import { IconSearch, IconX } from '@tabler/icons-react';
import { useId } from 'react';
import type { Problem } from '../api/client';
import { focusTargets } from '../base/keyboard';
import { useFilterEditor, type FilterEditor } from './filterEditor';
import { FilterMirror } from './FilterMirror';
import { SuggestionList } from './SuggestionList';
import classes from './FilterBar.module.css';

export function FilterBar() {
  const editor = useFilterEditor();
  const { draft, problem, place } = editor;
  const listId = useId();
  return (
    <div className={classes.bar} data-problem={problem !== null || undefined}>
      <IconSearch size={15} stroke={1.7} className={classes.glass} aria-hidden />
      <div className={classes.field}>
        <FilterMirror text={draft} problem={problem} scroll={editor.scroll} />
        <FilterInput editor={editor} listId={listId} />
      </div>
      {editor.isPending && <Kbd size="xs">Enter</Kbd>}
      {draft !== '' && (
        <ActionIcon size="sm" aria-label="Clear the filter" onClick={editor.clear}>
          <IconX size={14} />
        </ActionIcon>
      )}
      {draft === '' && !editor.isFocused && <Kbd size="xs">/</Kbd>}
      {editor.isOpen && (
        <SuggestionList
          id={listId}
          suggestions={editor.suggestions}
          active={editor.active}
          heading={place.kind === 'key' ? 'Fields' : `Values of ${place.key}`}
          onTake={editor.take}
        />
      )}
      {problem && !editor.isOpen && <FilterProblem problem={problem} editor={editor} />}
    </div>
  );
}

function FilterInput({ editor, listId }: { editor: FilterEditor; listId: string }) {
  const { active, isOpen } = editor;
  return (
    <input
      id={focusTargets.search}
      ref={editor.input}
      className={classes.input}
      value={editor.draft}
      placeholder="Filter, for example  server_port:443 -client_process:curl"
      spellCheck={false}
      autoComplete="off"
      role="combobox"
      aria-label="Filter"
      aria-expanded={isOpen}
      aria-controls={listId}
      aria-activedescendant={isOpen && active >= 0 ? `${listId}-${active}` : undefined}
      aria-invalid={editor.problem !== null}
      onChange={({ currentTarget }) =>
        editor.type(currentTarget.value, currentTarget.selectionStart ?? 0)
      }
      onKeyDown={editor.onKeyDown}
      onSelect={editor.moveCaret}
      onScroll={editor.moveCaret}
      onFocus={() => editor.focus(true)}
      onBlur={() => editor.focus(false)}
      onClick={editor.list}
    />
  );
}

function FilterProblem({ problem, editor }: { problem: Problem; editor: FilterEditor }) {
  const { message, expected, didYouMean, position, length } = problem;
  const repaired =
    didYouMean !== null && position !== null
      ? editor.draft.slice(0, position) + didYouMean + editor.draft.slice(position + length)
      : null;
  return (
    <div className={classes.problem} role="alert">
      <strong>{message}</strong>
      {expected && !message.includes(expected) && <div>Expected: {expected}</div>}
      {repaired !== null && (
        <Button
          variant="default"
          size="compact-xs"
          mt={6}
          onClick={() => {
            editor.commit(repaired);
          }}
        >
          Use {didYouMean}
        </Button>
      )}
    </div>
  );
}
