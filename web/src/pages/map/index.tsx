// The Service Map: entities and their traffic, drawn, with a list of the same.
import { useMediaQuery } from '@mantine/hooks';
import { useMemo, useState } from 'react';
import { automaticBounds, type Bounds } from '../../graph/intervals';
import { fillValues } from '../../graph/scene';
import { useMapActions } from './actions';
import { FillPanel } from './FillPanel';
import { Legend } from './Legend';
import { MapBar, type Panels } from './MapBar';
import { MapStage } from './MapStage';
import { useMapView } from './mapView';
import { NodeList } from './NodeList';
import { useLayout } from './useLayout';
import { useMapScene } from './useMapScene';
import { useChanges, useMapData } from './useMapModel';
import { usePointing } from './usePointing';
import classes from './Map.module.css';

export default function MapPage() {
  const controls = useMapView();
  const { settings, setView, scope } = controls;
  const data = useMapData(controls);
  const { model } = data;
  const values = useMemo(() => fillValues(model, settings.fill), [model, settings.fill]);
  const bounds: Bounds | null = useMemo(
    () => settings.customBounds ?? automaticBounds(values),
    [settings.customBounds, values],
  );
  const grouped = settings.group === 'auto' ? scope.level : `${scope.level}/${settings.group}`;
  const place =
    settings.focus === null ? grouped : `${grouped}:${settings.focus}:${settings.depth}`;
  const layout = useLayout(model, place, !data.isFirstLoad && !data.isStale);
  const changes = useChanges(model, data.question, data.isStale);
  const scene = useMapScene(layout.laidOut, settings.fill, bounds, changes);
  const actions = useMapActions(controls, model);
  const pointing = usePointing(settings, actions);
  const [panels, setPanels] = usePanels();

  return (
    <div className={classes.page} data-stale={data.isStale || undefined}>
      <MapBar
        {...{ controls, model, actions, changes, panels }}
        matched={data.matched}
        answer={data.answer}
        isLoading={data.isFirstLoad}
        onPanels={setPanels}
      />
      <div className={classes.body}>
        {panels.fill && (
          <aside className={classes.left}>
            <FillPanel
              layer={scope.layer}
              fill={settings.fill}
              values={values}
              bounds={bounds}
              isCustom={settings.customBounds !== null}
              onFill={(fill) => setView({ fill, range: undefined })}
              onBounds={(range) => setView({ range }, { replace: true })}
            />
            {scene && scene.nodes.length > 0 && <Legend scene={scene} model={model} />}
          </aside>
        )}
        <MapStage {...{ controls, data, layout, scene, actions, pointing, place }} />
        {panels.list && (
          <aside className={classes.right}>
            <NodeList
              model={model}
              matched={data.matched}
              fill={settings.fill}
              bounds={bounds}
              query={settings.query}
              chosen={pointing.chosen}
              onQuery={(q) => setView({ q: q || undefined }, { replace: true })}
              onChoose={pointing.chooseInList}
              onPoint={pointing.pointInList}
              onMenu={pointing.openMenuFromList}
            />
          </aside>
        )}
      </div>
    </div>
  );
}

/** Panels stand beside the map where there is room, and over it where there is not. */
function usePanels(): [Panels, (panels: Panels) => void] {
  const isNarrow = useMediaQuery('(max-width: 900px)', undefined, {
    getInitialValueInEffect: false,
  });
  const [chosen, setChosen] = useState<Panels | null>(null);
  const shown = chosen ?? { fill: !isNarrow, list: !isNarrow };
  const isCrowded = isNarrow && shown.fill && shown.list;
  const change = (next: Panels) => {
    const opensFill = next.fill && !shown.fill;
    setChosen(
      isNarrow
        ? { fill: opensFill || (next.fill && !next.list), list: next.list && !opensFill }
        : next,
    );
  };
  return [isCrowded ? { fill: false, list: false } : shown, change];
}
