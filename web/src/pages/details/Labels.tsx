// Labels and annotations. A label that flows have is a filter: a click narrows the page to it.
import { IconFilterPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { addClauses, clauseText } from '../../domain/filterEdit';
import { plural } from '../../domain/units';
import { useView } from '../../state/view';
import details from './details.module.css';
import classes from './overview.module.css';

/** Shown before someone asks for more. */
const atFirst = 12;

interface LabelsProps {
  labels: Readonly<Record<string, string>>;
  /** Names of those that flows have too. */
  filterable: readonly string[];
}

export function Labels({ labels, filterable }: LabelsProps) {
  const { view, setView } = useView();
  const [all, setAll] = useState(false);
  const lines = Object.entries(labels).map(([name, value]) => ({ name, value }));
  if (lines.length === 0) return null;
  const shown = all ? lines : lines.slice(0, atFirst);
  const narrow = (clause: string) => setView({ filter: addClauses(view.filter, [clause]) });
  return (
    <section className={details.section} aria-label="Labels">
      <h3 className={details.heading}>
        Labels<span className={details.headingNote}>{plural(lines.length, 'label')}</span>
      </h3>
      <ul className={classes.labels}>
        {shown.map(({ name, value }) => {
          const clause = clauseText('labels', `${name}=${value}`);
          const text = (
            <>
              <span className={classes.labelName}>{name}</span>
              <span className={classes.labelValue}>{value === '' ? '(empty)' : value}</span>
            </>
          );
          return (
            <li key={name}>
              {filterable.includes(name) ? (
                <button
                  type="button"
                  className={classes.label}
                  title={`Only ${clause}`}
                  onClick={() => narrow(clause)}
                >
                  {text}
                  <IconFilterPlus size={12} stroke={1.7} aria-hidden />
                </button>
              ) : (
                <span className={classes.label} title={`${name}=${value}`}>
                  {text}
                </span>
              )}
            </li>
          );
        })}
      </ul>
      <More count={lines.length} all={all} onToggle={() => setAll(!all)} />
    </section>
  );
}

export function Annotations({ annotations }: { annotations: Readonly<Record<string, string>> }) {
  const [all, setAll] = useState(false);
  const lines = Object.entries(annotations);
  if (lines.length === 0) return null;
  const shown = all ? lines : lines.slice(0, atFirst);
  return (
    <section className={details.section} aria-label="Annotations">
      <h3 className={details.heading}>
        Annotations
        <span className={details.headingNote}>{plural(lines.length, 'annotation')}</span>
      </h3>
      <dl className={classes.annotations}>
        {shown.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <More count={lines.length} all={all} onToggle={() => setAll(!all)} />
    </section>
  );
}

interface MoreProps {
  count: number;
  all: boolean;
  onToggle: () => void;
}

function More({ count, all, onToggle }: MoreProps) {
  if (count <= atFirst) return null;
  return (
    <button type="button" className={classes.more} onClick={onToggle}>
      {all ? 'Show fewer' : `Show ${count - atFirst} more`}
    </button>
  );
}
