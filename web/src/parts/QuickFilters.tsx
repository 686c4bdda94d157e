// The quick filters at the left of a list: direction and protocol or what else the layer is asked
// first, then every field with its values and their counts. A click edits the filter's text; the text moves the marks.
import { Button } from '@mantine/core';
import { IconX } from '@tabler/icons-react';
import { readChips, removeChip } from '../domain/filterEdit';
import { quickFilterSections } from '../domain/quickFilters';
import { useLevels } from '../state/levels';
import { useView } from '../state/view';
import { DirectionMatrix } from './DirectionMatrix';
import { FacetField } from './FacetField';
import classes from './QuickFilters.module.css';

export function QuickFilters() {
  const { layer } = useView().view;
  const sections = quickFilterSections(layer, useLevels());
  return (
    <div className={classes.rail}>
      <Chips />
      {layer === 'l4' && (
        <section className={classes.section} aria-label="Direction and protocol">
          <h2 className={classes.heading}>Direction and protocol</h2>
          <DirectionMatrix />
        </section>
      )}
      {sections.map((section) => (
        <section key={section.id} className={classes.section} aria-label={section.title}>
          <h2 className={classes.heading}>{section.title}</h2>
          {section.fields.map((field) => (
            <FacetField key={field.name} field={field} />
          ))}
        </section>
      ))}
    </div>
  );
}

function Chips() {
  const { view, setView } = useView();
  const chips = readChips(view.filter);
  if (chips.length === 0) return null;
  return (
    <section className={classes.section} aria-label="Active filters">
      <div className={classes.headingRow}>
        <h2 className={classes.heading}>Active filters</h2>
        <Button variant="subtle" size="compact-xs" onClick={() => setView({ filter: undefined })}>
          Clear
        </Button>
      </div>
      <div className={classes.chips}>
        {chips.map((chip) => (
          <span key={chip.index} className={classes.chip} title={chip.text}>
            <span className={classes.chipText}>{chip.text}</span>
            <button
              type="button"
              aria-label={`Remove ${chip.text}`}
              onClick={() => setView({ filter: removeChip(view.filter, chip.index) || undefined })}
            >
              <IconX size={11} />
            </button>
          </span>
        ))}
      </div>
    </section>
  );
}
