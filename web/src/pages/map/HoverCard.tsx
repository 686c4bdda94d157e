// The card beside what the pointer is on: who it is, and its metrics.
import { IconArrowNarrowRight } from '@tabler/icons-react';
import { providerName } from '../../domain/provider';
import type { Pointed } from '../../graph/emphasis';
import type { MapModel } from '../../graph/model';
import { EntityLabel } from '../../parts/EntityLabel';
import { MetricRows } from './MetricRows';
import classes from './Map.module.css';

export interface HoverCardProps {
  model: MapModel;
  pointed: Pointed;
  /** Place of the pointer in the map, and the size of the map. */
  at: { x: number; y: number };
  room: { width: number; height: number };
  fill: string;
}

const cardWidth = 244;
const cardHeight = 250;
const gap = 18;

export function HoverCard({ model, pointed, at, room, fill }: HoverCardProps) {
  if (!pointed) return null;
  const content =
    pointed.kind === 'node'
      ? nodeContent(model, pointed.key, fill)
      : edgeContent(model, pointed.key, fill);
  if (!content) return null;
  const isRight = at.x + gap + cardWidth < room.width;
  const left = isRight ? at.x + gap : Math.max(4, at.x - gap - cardWidth);
  const top = Math.max(8, Math.min(at.y - 40, room.height - cardHeight - 8));
  return (
    <div
      className={classes.hover}
      style={{
        transform: `translate(${Math.round(left)}px, ${Math.round(top)}px)`,
        width: cardWidth,
      }}
      role="tooltip"
      data-kind={pointed.kind}
    >
      {content}
    </div>
  );
}

function nodeContent(model: MapModel, key: string, fill: string) {
  const node = model.byKey.get(key);
  if (!node) return null;
  return (
    <>
      <header>
        <EntityLabel entity={node.entity} provider={node.provider} link={false} strong />
      </header>
      <MetricRows metrics={node.metrics} fill={fill} />
      <footer>
        {node.in.length} in · {node.out.length} out
        {node.provider && ` · ${providerName(node.provider)}`}
      </footer>
    </>
  );
}

function edgeContent(model: MapModel, key: string, fill: string) {
  const edge = model.edgeByKey.get(key);
  const client = edge && model.byKey.get(edge.client);
  const server = edge && model.byKey.get(edge.server);
  if (!edge || !client || !server) return null;
  return (
    <>
      <header>
        <EntityLabel entity={client.entity} provider={client.provider} link={false} strong />
        <IconArrowNarrowRight size={14} aria-label="calls" />
        <EntityLabel entity={server.entity} provider={server.provider} link={false} strong />
      </header>
      <MetricRows metrics={edge.metrics} fill={fill} />
    </>
  );
}
