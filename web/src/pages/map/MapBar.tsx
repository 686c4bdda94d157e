// Over the map: where one is (whole or focus), how much is shown, what the filter does to the
// rest, and switches for the panels.
import { ActionIcon, Button, SegmentedControl, Select, Tooltip } from '@mantine/core';
import {
  IconArrowLeft,
  IconChevronRight,
  IconInfoCircle,
  IconLayoutSidebar,
  IconLayoutSidebarRight,
  IconStack2,
} from '@tabler/icons-react';
import type { MapAnswer } from '../../api/types';
import type { Emphasis } from '../../graph/emphasis';
import type { MapModel } from '../../graph/model';
import { isOnlySampled } from '../../domain/incomplete';
import { mapGroups, type MapGroup } from '../../domain/search';
import { plural } from '../../domain/units';
import { EntityLabel } from '../../parts/EntityLabel';
import { useLevels } from '../../state/levels';
import type { MapActions } from './actions';
import type { MapControls } from './mapView';
import type { Changes } from './useMapModel';
import classes from './Map.module.css';

export interface Panels {
  fill: boolean;
  list: boolean;
}

export interface MapBarProps {
  controls: MapControls;
  model: MapModel;
  /** What the filter takes, where it fades the rest. */
  matched: Emphasis;
  answer: MapAnswer | undefined;
  isLoading: boolean;
  changes: Changes;
  actions: MapActions;
  panels: Panels;
  onPanels: (panels: Panels) => void;
}

export function MapBar(props: MapBarProps) {
  const { controls, actions, panels, onPanels, model, answer, changes } = props;
  const { settings, scope, setView } = controls;
  const hasFilter = scope.filter !== '';
  return (
    <div className={classes.bar} role="toolbar" aria-label="Map">
      <PanelSwitch
        label="Fill and legend"
        isOpen={panels.fill}
        onClick={() => onPanels({ ...panels, fill: !panels.fill })}
      >
        <IconLayoutSidebar size={16} />
      </PanelSwitch>
      {settings.focus !== null && <Breadcrumb {...props} />}
      <span className={classes.counts} aria-live="polite">
        {props.isLoading ? 'Loading' : matchText(props) + countsText(model) + changesText(changes)}
      </span>
      <CutMark answer={answer} controls={controls} />
      <span className={classes.spacer} />
      <GroupSelect controls={controls} />
      {hasFilter && (
        <SegmentedControl
          size="xs"
          aria-label="What the filter leaves out"
          value={settings.isRestHidden ? 'hide' : 'dim'}
          onChange={(value) => setView({ rest: value === 'hide' ? 'hide' : undefined })}
          data={[
            { value: 'dim', label: 'Fade the rest' },
            { value: 'hide', label: 'Hide the rest' },
          ]}
        />
      )}
      <Button
        variant="default"
        leftSection={<IconStack2 size={14} />}
        onClick={() => actions.open('/flows', [])}
      >
        {scope.layer === 'l7' ? 'View single requests' : 'View network flow data'}
      </Button>
      <PanelSwitch
        label="List of nodes and paths"
        isOpen={panels.list}
        onClick={() => onPanels({ ...panels, list: !panels.list })}
      >
        <IconLayoutSidebarRight size={16} />
      </PanelSwitch>
    </div>
  );
}

/** `12 nodes · 30 paths`. */
export function countsText({ nodes, edges }: MapModel): string {
  return `${plural(nodes.length, 'node')} · ${plural(edges.length, 'path')}`;
}

/** How much of the map the filter takes: `2 match of `. */
function matchText({ matched }: MapBarProps): string {
  return matched.nodes ? `${matched.nodes.size} match of ` : '';
}

function changesText({ added, gone }: Changes): string {
  const parts = [added.size > 0 ? `${added.size} new` : '', gone > 0 ? `${gone} gone` : ''];
  const text = parts.filter(Boolean).join(', ');
  return text === '' ? '' : ` · ${text}`;
}

/** What nodes stand together by. */
function GroupSelect({ controls }: Pick<MapBarProps, 'controls'>) {
  const { settings, setView } = controls;
  const hasCluster = useLevels().includes('pod');
  const offered = mapGroups.filter(
    (group) => hasCluster || group === 'none' || group === 'host' || group === settings.group,
  );
  const choices = offered.map((value) => ({ value: value as string, label: groupLabels[value] }));
  return (
    <Select
      aria-label="Group nodes by"
      size="xs"
      w={142}
      allowDeselect={false}
      value={settings.group}
      data={[{ value: 'auto', label: 'Group if many' }, ...choices]}
      onChange={(value) => setView({ group: mapGroups.find((group) => group === value) })}
    />
  );
}

const groupLabels: Record<MapGroup, string> = {
  none: 'Not grouped',
  namespace: 'By namespace',
  zone: 'By zone',
  host: 'By host',
};

function Breadcrumb({ controls, actions, model }: MapBarProps) {
  const { settings, setView } = controls;
  const entity = settings.focus === null ? undefined : model.byKey.get(settings.focus)?.entity;
  return (
    <nav className={classes.crumbs} aria-label="Focus">
      <Button variant="light" leftSection={<IconArrowLeft size={14} />} onClick={actions.unfocus}>
        Back to the whole
      </Button>
      <IconChevronRight size={14} aria-hidden />
      {entity ? <EntityLabel entity={entity} strong link={false} /> : <span>{settings.focus}</span>}
      <SegmentedControl
        size="xs"
        aria-label="Steps up and down the stream"
        value={String(settings.depth)}
        onChange={(depth) => setView({ depth: Number(depth) })}
        data={['1', '2', '3'].map((depth) => ({
          value: depth,
          label: depth === '1' ? '1 step' : depth,
        }))}
      />
    </nav>
  );
}

/** Most nodes that the map draws; the server gives fewer unless asked. */
const nodesMax = 5000;

/** Says what the answer had to leave out, and how to see more. */
function CutMark({ answer, controls }: Pick<MapBarProps, 'answer' | 'controls'>) {
  const notes = answer?.incomplete ?? [];
  if (notes.length === 0) return null;
  const isCut = notes.some((note) => note.kind === 'cut');
  const canShowMore = isCut && (controls.view.limit ?? 0) < nodesMax;
  return (
    <>
      <Tooltip multiline w={320} label={notes.map((note) => note.message).join(' ')}>
        <span className={classes.cut} tabIndex={0}>
          <IconInfoCircle size={14} aria-hidden />
          {isCut
            ? 'Narrowed: not everything is shown'
            : isOnlySampled(notes)
              ? 'Sampled'
              : 'Incomplete'}
        </span>
      </Tooltip>
      {canShowMore && (
        <Button variant="subtle" onClick={() => controls.setView({ limit: nodesMax })}>
          Show up to {nodesMax.toLocaleString('en-US')} nodes
        </Button>
      )}
    </>
  );
}

interface PanelSwitchProps {
  label: string;
  isOpen: boolean;
  onClick: () => void;
  children: React.ReactNode;
}

function PanelSwitch({ label, isOpen, onClick, children }: PanelSwitchProps) {
  return (
    <Tooltip label={label}>
      <ActionIcon aria-label={label} aria-pressed={isOpen} onClick={onClick} size="md">
        {children}
      </ActionIcon>
    </Tooltip>
  );
}
