// Flows of the transport, or single requests.
import { layerDocs, type Layer } from '../../domain/layer';
import { toLayer } from '../../domain/search';
import { useView } from '../../state/view';
import classes from './flows.module.css';

const tabs: readonly { layer: Layer; name: string }[] = [
  { layer: 'l4', name: 'L4 flows' },
  { layer: 'l7', name: 'L7 requests' },
];

export function LayerTabs() {
  const { view, setView } = useView();
  return (
    <div role="tablist" aria-label="Kind of rows" className={classes.tabs}>
      {tabs.map(({ layer, name }) => (
        <button
          key={layer}
          type="button"
          role="tab"
          className={classes.tab}
          aria-selected={view.layer === layer}
          title={layerDocs[layer]}
          onClick={() => view.layer !== layer && setView(toLayer(layer, view.filter, 'rows'))}
        >
          {name}
        </button>
      ))}
    </div>
  );
}
