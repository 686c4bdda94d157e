// The six combinations of direction and protocol, each with its number of flow rows.
import { IconArrowDownLeft, IconArrowUpRight } from '@tabler/icons-react';
import { facetOf, type FacetsAnswer } from '../api/types';
import { readChoice, writeChoice } from '../domain/filterEdit';
import {
  directions,
  transportLabel,
  transports,
  type Direction,
  type Transport,
} from '../domain/quickFilters';
import { formatCount } from '../domain/units';
import { useFacets } from '../state/queries';
import { useView } from '../state/view';
import classes from './QuickFilters.module.css';

function countOf(answer: FacetsAnswer | undefined, transport: Transport): number | null {
  const facet = facetOf(answer, 'transport');
  if (!facet) return null;
  return facet.values
    .filter(({ value }) => transport === null || value === transport)
    .reduce((sum, { count }) => sum + count, 0);
}

function useDirectionFacets(direction: Direction) {
  const { scope, view } = useView();
  const rest = writeChoice(scope.filter, 'transport', { include: [], exclude: [] });
  const filter = writeChoice(rest, 'direction', { include: [direction], exclude: [] });
  return useFacets({ ...scope, filter }, ['transport'], { every: view.every }).data;
}

export function DirectionMatrix() {
  const { view, setView } = useView();
  const counts = {
    outgoing: useDirectionFacets('outgoing'),
    incoming: useDirectionFacets('incoming'),
  };
  const direction = readChoice(view.filter, 'direction').include;
  const transport = readChoice(view.filter, 'transport').include;

  const isOn = (d: Direction, t: Transport) =>
    direction.length === 1 &&
    direction[0] === d &&
    (t === null ? transport.length === 0 : transport.length === 1 && transport[0] === t);

  const choose = (d: Direction, t: Transport) => {
    const off = isOn(d, t);
    const withDirection = writeChoice(view.filter, 'direction', {
      include: off ? [] : [d],
      exclude: [],
    });
    const next = writeChoice(withDirection, 'transport', {
      include: off || t === null ? [] : [t],
      exclude: [],
    });
    setView({ filter: next || undefined });
  };

  return (
    <div className={classes.matrix}>
      {directions.map((d) => (
        <div key={d} className={classes.matrixRow} role="group" aria-label={d}>
          <span className={classes.matrixHead}>
            {d === 'outgoing' ? (
              <IconArrowUpRight size={14} aria-hidden />
            ) : (
              <IconArrowDownLeft size={14} aria-hidden />
            )}
            {d === 'outgoing' ? 'Outgoing' : 'Incoming'}
          </span>
          <div className={classes.matrixCells}>
            {transports.map((t) => {
              const count = countOf(counts[d], t);
              return (
                <button
                  key={transportLabel(t)}
                  type="button"
                  className={classes.matrixCell}
                  aria-pressed={isOn(d, t)}
                  aria-label={`${d}, ${transportLabel(t)}`}
                  onClick={() => choose(d, t)}
                >
                  <span>{transportLabel(t)}</span>
                  <span className={classes.count}>{count === null ? '·' : formatCount(count)}</span>
                </button>
              );
            })}
          </div>
        </div>
      ))}
    </div>
  );
}
