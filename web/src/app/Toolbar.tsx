// Second line: what is grouped by, which layer, whose observation is read, and the time.
import { Select, SegmentedControl, Tooltip } from '@mantine/core';
import { useIsFetching } from '@tanstack/react-query';
import { levelLabels, type Level } from '../domain/entity';
import { toLayer, type Perspective } from '../domain/search';
import { LayerSwitch } from '../parts/LayerSwitch';
import { TimeWidget } from '../parts/TimeWidget';
import { useLevels } from '../state/levels';
import { completeView, useView } from '../state/view';
import classes from './Shell.module.css';

const perspectives: readonly { value: Perspective; label: string }[] = [
  { value: 'merged', label: 'Merged view' },
  { value: 'client', label: "Client's view" },
  { value: 'server', label: "Server's view" },
  { value: 'both', label: 'Every observation' },
];

export function Toolbar() {
  const { view, search, path, asked, setView } = useView();
  const levels = useLevels();
  const changeLevel = (level: Level) => {
    const { layer } = completeView({ ...search, level }, path);
    const changes =
      layer === view.layer ? {} : { ...toLayer(layer, view.filter, asked), layer: undefined };
    setView({ ...changes, level });
  };
  return (
    <div className={classes.toolbar} role="toolbar" aria-label="Level, layer, perspective and time">
      <SegmentedControl
        aria-label="Level"
        value={view.level}
        onChange={(level) => changeLevel(level as Level)}
        data={levels.map((level) => ({ value: level, label: levelLabels[level] }))}
      />
      <LayerSwitch
        label="Layer"
        value={view.layer}
        onChange={(layer) => setView(toLayer(layer, view.filter, asked))}
      />
      <Tooltip
        multiline
        w={280}
        label="A conversation seen at both ends is shown once (merged), or as only the client's or only the server's host observed it."
      >
        <Select
          aria-label="Perspective"
          size="xs"
          w={136}
          allowDeselect={false}
          value={view.perspective}
          data={perspectives.map((item) => ({ ...item }))}
          onChange={(value) => setView({ perspective: value as Perspective })}
        />
      </Tooltip>
      <div className={classes.spacer} />
      <TimeWidget />
      <Progress />
    </div>
  );
}

function Progress() {
  const asking = useIsFetching({ queryKey: ['weir'] });
  return asking > 0 ? <div className={classes.progress} aria-hidden /> : null;
}
