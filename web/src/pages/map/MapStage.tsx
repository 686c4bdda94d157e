// The map itself with everything that lies over it: card, menu, camera buttons, and the states
// in which there is nothing to draw.
import { Button, Code, CopyButton } from '@mantine/core';
import { IconChartDots3, IconPlugConnected } from '@tabler/icons-react';
import { useCallback, useEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { formatMetric } from '../../domain/metrics';
import { amongNodes, both, everything, touched } from '../../graph/emphasis';
import type { Highlight, MapView } from '../../graph/render/view';
import type { Scene } from '../../graph/scene';
import { NoLayerData } from '../../parts/NoLayerData';
import { Empty, Failure } from '../../parts/States';
import { useStatus } from '../../state/queries';
import type { MapActions } from './actions';
import { CameraButtons } from './CameraButtons';
import { HoverCard } from './HoverCard';
import { foundNodes } from './listing';
import { countsText } from './MapBar';
import { MapCanvas } from './MapCanvas';
import type { MapControls } from './mapView';
import { NodeMenu } from './NodeMenu';
import type { Layout } from './useLayout';
import type { MapData } from './useMapModel';
import type { Pointing } from './usePointing';
import classes from './Map.module.css';

export interface MapStageProps {
  controls: MapControls;
  data: MapData;
  layout: Layout;
  scene: Scene | null;
  actions: MapActions;
  pointing: Pointing;
  place: string;
}

export function MapStage(props: MapStageProps) {
  const { controls, data, layout, scene, actions, pointing } = props;
  const { settings } = controls;
  const view = useRef<MapView>(null);
  const stage = useRef<HTMLDivElement>(null);
  const anchor = useRef<HTMLSpanElement>(null);
  const highlight = useHighlight(props);
  const [rounds, setRounds] = useState(0);

  const selected = selectedKey(pointing);
  const followSelection = useCallback(() => {
    const at = selected === null ? null : view.current?.screenPlace(selected);
    const mark = anchor.current;
    if (!mark) return;
    mark.hidden = !at;
    if (at) mark.style.transform = `translate(${at.x}px, ${at.y}px)`;
  }, [selected]);
  useEffect(followSelection, [followSelection, scene]);
  useEffect(() => {
    if (pointing.reveal > 0 && selected !== null) view.current?.reveal(selected);
  }, [pointing.reveal, selected]);

  const tidy = () => {
    layout.tidy();
    setRounds((count) => count + 1);
  };
  const shown = layout.laidOut;
  const isEmpty = !data.isFirstLoad && data.model.nodes.length === 0;
  return (
    <div className={classes.stage} ref={stage}>
      <MapCanvas
        ref={view}
        scene={scene}
        fitKey={`${shown?.place ?? ''}#${rounds}`}
        highlight={highlight}
        label={`Map: ${countsText(data.model)}. The list beside it has the same.`}
        onPoint={pointing.point}
        onClick={pointing.click}
        onFocus={(key) => actions.focus(key, settings.depth)}
        onDragEnd={layout.pin}
        onFrame={followSelection}
        onKey={(event) => onMapKey(event, view.current, props)}
      />
      <span ref={anchor} className={classes.mark} data-selected={selected ?? ''} hidden />
      {shown && <Overlays {...props} view={view.current} stage={stage.current} />}
      {data.model.nodes.length > 0 && <CameraButtons view={view} layout={layout} onTidy={tidy} />}
      {data.isFirstLoad && !data.error && <Loading />}
      {data.error && (
        <div className={data.answer ? classes.failureBar : classes.cover}>
          <Failure
            error={data.error}
            what="The map"
            onRetry={data.retry}
            compact={data.answer !== undefined}
          />
        </div>
      )}
      {isEmpty && !data.error && <NothingHere controls={controls} actions={actions} />}
    </div>
  );
}

function selectedKey({ chosen }: Pointing): string | null {
  return chosen?.kind === 'node' ? chosen.key : null;
}

function useHighlight({ controls, data, layout, pointing }: MapStageProps): Highlight {
  const { fill, query, isRestHidden } = controls.settings;
  const selected = selectedKey(pointing);
  const model = layout.laidOut?.model ?? data.model;
  const matched = useMemo(() => {
    const found = foundNodes(model, query);
    return both(data.matched, found ? amongNodes(model, found) : everything);
  }, [model, data.matched, query]);
  const { pointed, chosen } = pointing;
  return useMemo(() => {
    const metricsOf = (key: string) => model.edgeByKey.get(key)?.metrics[fill];
    return {
      matched,
      isRestHidden,
      touched: touched(model, pointed ?? (query === '' ? chosen : null)),
      selected,
      valueOf: (edge: string) => {
        const value = metricsOf(edge);
        return value === null || value === undefined ? null : formatMetric(fill, value);
      },
    };
  }, [model, matched, isRestHidden, pointed, chosen, query, selected, fill]);
}

interface OverlaysProps extends MapStageProps {
  view: MapView | null;
  stage: HTMLDivElement | null;
}

function Overlays({ controls, data, layout, pointing, actions, view, stage }: OverlaysProps) {
  const model = layout.laidOut?.model ?? data.model;
  const { menu, pointed, at } = pointing;
  const room = { width: stage?.clientWidth ?? 800, height: stage?.clientHeight ?? 600 };
  const nodePlace = menu.on?.kind === 'node' ? view?.screenPlace(menu.on.key) : null;
  const menuAt = nodePlace ?? menu.at ?? { x: room.width / 2, y: room.height / 3 };
  return (
    <>
      {pointed && at && !menu.on && (
        <HoverCard {...{ model, pointed, at, room }} fill={controls.settings.fill} />
      )}
      <NodeMenu
        model={model}
        on={menu.on}
        at={menuAt}
        actions={actions}
        onClose={pointing.closeMenu}
      />
    </>
  );
}

const panPixels = 60;
const nudgeUnits = 20;
const arrows: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Arrows pan, with Alt they move the selected node; + - 0 zoom; Enter opens the menu. */
function onMapKey(event: KeyboardEvent, view: MapView | null, props: MapStageProps): void {
  const { controls, pointing } = props;
  const selected = selectedKey(pointing);
  const arrow = arrows[event.key];
  if (!view) return;
  if (arrow && event.altKey && selected !== null) {
    view.nudge(selected, arrow[0] * nudgeUnits, arrow[1] * nudgeUnits);
  } else if (arrow) view.pan(arrow[0] * panPixels, arrow[1] * panPixels);
  else if (event.key === '+' || event.key === '=') view.zoom(1.5);
  else if (event.key === '-') view.zoom(1 / 1.5);
  else if (event.key === '0') view.fit(true);
  else if (event.key === 'Enter' && pointing.chosen) pointing.openMenuFromList(pointing.chosen);
  else if (event.key === 'Escape' && pointing.menu.on) pointing.closeMenu();
  else if (event.key === 'Escape' && pointing.chosen && !controls.view.details) pointing.clear();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/** Where nodes will be. */
function Loading() {
  return (
    <div className={classes.cover} aria-busy="true" aria-label="Loading the map">
      <svg className={classes.ghost} viewBox="0 0 480 240" aria-hidden>
        <path d="M70 60C150 60 170 110 240 120M70 180C150 180 170 130 240 120" />
        <path d="M240 120C320 110 330 50 410 46M240 120C320 122 340 120 410 120" />
        <path d="M240 120C320 130 330 190 410 194" />
        <circle cx="70" cy="60" r="17" />
        <circle cx="70" cy="180" r="22" />
        <circle cx="240" cy="120" r="28" />
        <circle cx="410" cy="46" r="15" />
        <circle cx="410" cy="120" r="20" />
        <circle cx="410" cy="194" r="15" />
      </svg>
    </div>
  );
}

const addAgent = 'weir agent --server URL --token-file FILE';

function NothingHere({ controls, actions }: { controls: MapControls; actions: MapActions }) {
  const { scope, settings, setView } = controls;
  const status = useStatus();
  const isWithoutAgents = status.data !== undefined && status.data.agents.length === 0;
  if (isWithoutAgents) {
    return (
      <div className={classes.cover}>
        <Empty icon={IconPlugConnected} title="No agent reports yet" action={<CopyCommand />}>
          The map draws what agents see. Start one on each host that should be watched.
        </Empty>
      </div>
    );
  }
  if (scope.layer !== 'l4' && settings.focus === null && scope.filter === '') {
    return (
      <div className={classes.cover}>
        <NoLayerData layer={scope.layer} />
      </div>
    );
  }
  const action =
    settings.focus !== null ? (
      <Button variant="default" onClick={actions.unfocus}>
        Back to the whole
      </Button>
    ) : scope.filter !== '' ? (
      <Button variant="default" onClick={() => setView({ filter: undefined })}>
        Clear the filter
      </Button>
    ) : (
      <Button variant="default" onClick={() => setView({ from: 'now-48h', to: undefined })}>
        Show the last 48 hours
      </Button>
    );
  const why =
    settings.focus !== null
      ? 'This entity talked to nobody in the chosen time.'
      : scope.filter !== ''
        ? 'Nothing in the chosen time matches the filter.'
        : 'Nobody talked to anybody in the chosen time.';
  return (
    <div className={classes.cover}>
      <Empty icon={IconChartDots3} title="Nothing to draw" action={action}>
        {why}
      </Empty>
    </div>
  );
}

function CopyCommand() {
  return (
    <CopyButton value={addAgent}>
      {({ copied, copy }) => (
        <span className={classes.command}>
          <Code>{addAgent}</Code>
          <Button variant="default" onClick={copy}>
            {copied ? 'Copied' : 'Copy'}
          </Button>
        </span>
      )}
    </CopyButton>
  );
}
