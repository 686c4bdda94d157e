// One field of the quick filters: its values with counts; a check includes, a minus excludes.
import { Checkbox, Skeleton, TextInput, Tooltip } from '@mantine/core';
import { IconCheck, IconChevronRight, IconMinus } from '@tabler/icons-react';
import { useState } from 'react';
import { readSetting, writeSetting } from '../base/storage';
import { facetOf, type FacetCount } from '../api/types';
import { markOf, readChoice, setMark, writeChoice, type FacetMark } from '../domain/filterEdit';
import { openAtFirst, type FilterField } from '../domain/quickFilters';
import { formatCount } from '../domain/units';
import { useFacets } from '../state/queries';
import { useView } from '../state/view';
import classes from './QuickFilters.module.css';

/** Values shown before someone asks for more. */
const valuesAtFirst = 6;
/** From this many values on there is a box to search in them. */
const searchFrom = 12;

const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';

function useOpen(name: string): [boolean, () => void] {
  const key = `facet.${name}`;
  const [open, setOpen] = useState(() => readSetting(key, isFlag) ?? openAtFirst.includes(name));
  const toggle = () => {
    writeSetting(key, !open);
    setOpen(!open);
  };
  return [open, toggle];
}

export function FacetField({ field }: { field: FilterField }) {
  const { view } = useView();
  const [open, toggle] = useOpen(field.name);
  const choice = readChoice(view.filter, field.name);
  const chosen = choice.include.length + choice.exclude.length;
  return (
    <div className={classes.field}>
      <Tooltip
        label={`${field.name}: ${field.doc}`}
        position="right"
        multiline
        maw={260}
        openDelay={600}
      >
        <button type="button" className={classes.fieldHead} aria-expanded={open} onClick={toggle}>
          <IconChevronRight size={13} className={classes.chevron} aria-hidden />
          {field.label}
          {chosen > 0 && <span className={classes.chosen}>{chosen}</span>}
        </button>
      </Tooltip>
      {open && <FacetValues field={field} />}
    </div>
  );
}

/** Values that the filter names but the answer does not hold still show, so that they can go. */
function withChosen(
  values: readonly FacetCount[],
  chosen: readonly (string | null)[],
): FacetCount[] {
  const missing = chosen.filter((value) => !values.some((known) => known.value === value));
  return [...missing.map((value) => ({ value, count: 0 })), ...values];
}

function FacetValues({ field }: { field: FilterField }) {
  const { view, scope, setView } = useView();
  const [all, setAll] = useState(false);
  const [search, setSearch] = useState('');
  const choice = readChoice(view.filter, field.name);
  // A field's own choice does not narrow its own list: otherwise nothing could be added to it.
  const filter = writeChoice(scope.filter, field.name, { include: [], exclude: [] });
  const facets = useFacets({ ...scope, filter }, [field.name], { every: view.every });
  const facet = facetOf(facets.data, field.name);

  if (facets.error && !facet) return <p className={classes.note}>Could not be loaded</p>;
  if (!facet) return <Skeleton height={9} width="70%" my={8} ml={22} />;
  const values = withChosen(facet.values, [...choice.include, ...choice.exclude]);
  if (values.every(({ value }) => value === null)) {
    return <p className={classes.note}>No values in this time</p>;
  }
  const found = values.filter(({ value }) =>
    (value ?? 'none').toLowerCase().includes(search.toLowerCase()),
  );
  const shown = all ? found : found.slice(0, valuesAtFirst);
  const largest = Math.max(1, ...values.map(({ count }) => count));
  const mark = (value: string | null, to: FacetMark) =>
    setView({ filter: setMark(view.filter, field.name, value, to) || undefined });
  return (
    <div className={classes.values} data-dimmed={facets.isPlaceholderData || undefined}>
      {values.length > searchFrom && (
        <TextInput
          size="xs"
          placeholder="Find a value"
          aria-label={`Find a value of ${field.label}`}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
      )}
      {shown.map(({ value, count }) => (
        <FacetRow
          key={value ?? ''}
          value={value}
          count={count}
          share={count / largest}
          mark={markOf(choice, value)}
          onMark={(to) => mark(value, to)}
        />
      ))}
      {found.length > valuesAtFirst && (
        <button type="button" className={classes.more} onClick={() => setAll(!all)}>
          {all ? 'Show fewer' : `Show ${found.length - valuesAtFirst} more`}
        </button>
      )}
      {all && facet.left > 0 && (
        <p className={classes.note}>{`${formatCount(facet.left)} rarer ones left out`}</p>
      )}
    </div>
  );
}

interface FacetRowProps {
  value: string | null;
  count: number;
  share: number;
  mark: FacetMark;
  onMark: (mark: FacetMark) => void;
}

function FacetRow({ value, count, share, mark, onMark }: FacetRowProps) {
  const name = value ?? 'none';
  return (
    <div className={classes.value} data-mark={mark}>
      <Checkbox
        size="xs"
        checked={mark === 'include'}
        indeterminate={mark === 'exclude'}
        icon={({ indeterminate, className }) =>
          indeterminate ? (
            <IconMinus className={className} />
          ) : (
            <IconCheck className={className} stroke={3} />
          )
        }
        aria-label={`Only ${name}`}
        onChange={() => onMark(mark === 'none' ? 'include' : 'none')}
      />
      <button
        type="button"
        className={classes.valueName}
        data-absent={value === null || undefined}
        title={name}
        tabIndex={-1}
        onClick={() => onMark(mark === 'none' ? 'include' : 'none')}
      >
        {name}
      </button>
      <Tooltip label="Leave out">
        <button
          type="button"
          className={classes.exclude}
          aria-label={`Leave out ${name}`}
          aria-pressed={mark === 'exclude'}
          onClick={() => onMark(mark === 'exclude' ? 'none' : 'exclude')}
        >
          <IconMinus size={12} />
        </button>
      </Tooltip>
      <span className={classes.count} title={`${count.toLocaleString('en-US')} flow rows`}>
        {formatCount(count)}
      </span>
      <span className={classes.share} style={{ width: `${share * 100}%` }} aria-hidden />
    </div>
  );
}
