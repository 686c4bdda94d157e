// The menu of a node or a path that was clicked, hanging on its place on the map.
import { Menu } from '@mantine/core';
import {
  IconArrowNarrowRight,
  IconCalendarEvent,
  IconChartDots3,
  IconFileText,
  IconFilter,
  IconFilterOff,
  IconListDetails,
  IconRoute,
  IconStack2,
} from '@tabler/icons-react';
import { tabsOf } from '../../domain/details';
import type { Pointed } from '../../graph/emphasis';
import type { MapEdge, MapModel, MapNode } from '../../graph/model';
import { EntityLabel } from '../../parts/EntityLabel';
import { useClusterCount } from '../../state/levels';
import type { MapActions } from './actions';
import classes from './Map.module.css';

export interface NodeMenuProps {
  model: MapModel;
  on: Pointed;
  at: { x: number; y: number };
  actions: MapActions;
  onClose: () => void;
}

export function NodeMenu({ model, on, at, actions, onClose }: NodeMenuProps) {
  const node = on?.kind === 'node' ? model.byKey.get(on.key) : undefined;
  const edge = on?.kind === 'edge' ? model.edgeByKey.get(on.key) : undefined;
  const isOpen = node !== undefined || edge !== undefined;
  return (
    <Menu
      opened={isOpen}
      onChange={(opened) => !opened && onClose()}
      position="right-start"
      offset={14}
      width={248}
      transitionProps={{ duration: 0 }}
      returnFocus
      // Not on keys: the very press that opens the menu would close it.
      clickOutsideEvents={['mousedown', 'touchstart']}
    >
      <Menu.Target>
        <span className={classes.anchor} style={{ left: at.x, top: at.y }} />
      </Menu.Target>
      <Menu.Dropdown data-map-menu>
        {node && <NodeItems node={node} actions={actions} />}
        {edge && <EdgeItems edge={edge} model={model} actions={actions} />}
      </Menu.Dropdown>
    </Menu>
  );
}

function NodeItems({ node, actions }: { node: MapNode; actions: MapActions }) {
  const clauses = actions.clausesOf(node);
  const hasCluster = (useClusterCount() ?? 0) > 0;
  const tabs = hasCluster ? tabsOf(node.entity, hasCluster) : [];
  return (
    <>
      <Menu.Label>
        <EntityLabel entity={node.entity} link={false} strong />
      </Menu.Label>
      <Menu.Item
        leftSection={<IconChartDots3 size={14} />}
        onClick={() => actions.focus(node.key, 1)}
      >
        View upstream and downstream
      </Menu.Item>
      <Menu.Item
        leftSection={<IconListDetails size={14} />}
        onClick={() => actions.nodeDetails(node)}
      >
        Details
      </Menu.Item>
      {tabs.includes('events') && (
        <Menu.Item
          leftSection={<IconCalendarEvent size={14} />}
          onClick={() => actions.nodeDetails(node, 'events')}
        >
          Events
        </Menu.Item>
      )}
      {tabs.includes('logs') && (
        <Menu.Item
          leftSection={<IconFileText size={14} />}
          onClick={() => actions.nodeDetails(node, 'logs')}
        >
          Logs
        </Menu.Item>
      )}
      <FilterItems clauses={clauses} actions={actions} />
    </>
  );
}

function EdgeItems({
  edge,
  model,
  actions,
}: {
  edge: MapEdge;
  model: MapModel;
  actions: MapActions;
}) {
  const client = model.byKey.get(edge.client);
  const server = model.byKey.get(edge.server);
  if (!client || !server) return null;
  return (
    <>
      <Menu.Label className={classes.pair}>
        <EntityLabel entity={client.entity} link={false} strong />
        <IconArrowNarrowRight size={14} aria-label="calls" />
        <EntityLabel entity={server.entity} link={false} strong />
      </Menu.Label>
      <Menu.Item
        leftSection={<IconListDetails size={14} />}
        onClick={() => actions.edgeDetails(edge)}
      >
        Details
      </Menu.Item>
      <FilterItems clauses={actions.edgeClauses(edge)} actions={actions} />
    </>
  );
}

function FilterItems({ clauses, actions }: { clauses: string[]; actions: MapActions }) {
  if (clauses.length === 0) return null;
  return (
    <>
      <Menu.Item
        leftSection={<IconRoute size={14} />}
        onClick={() => actions.open('/summary', clauses)}
      >
        Network details
      </Menu.Item>
      <Menu.Item
        leftSection={<IconStack2 size={14} />}
        onClick={() => actions.open('/flows', clauses)}
      >
        Flow data
      </Menu.Item>
      <Menu.Divider />
      <Menu.Item
        leftSection={<IconFilter size={14} />}
        onClick={() => actions.filterFor(clauses, false)}
      >
        Filter for this
      </Menu.Item>
      <Menu.Item
        leftSection={<IconFilterOff size={14} />}
        onClick={() => actions.filterFor(clauses, true)}
      >
        Filter this out
      </Menu.Item>
    </>
  );
}
