// With whom an entity talks most, and who opened those conversations.
import { IconArrowDownLeft, IconArrowUpRight } from '@tabler/icons-react';
import type { SummaryAnswer } from '../../api/types';
import { encodeDetails, type EntityRef } from '../../domain/details';
import { entityKey } from '../../domain/entity';
import type { Layer } from '../../domain/layer';
import { formatMetric, metric } from '../../domain/metrics';
import { plural } from '../../domain/units';
import { EntityLabel } from '../../parts/EntityLabel';
import { useView } from '../../state/view';
import classes from './details.module.css';

const peersMax = 8;

/** What is told of each peer, with what stands before and behind the number. */
const told: Record<Layer, readonly (readonly [metric: string, before: string, after: string])[]> = {
  l4: [
    ['bytes_sent', '↑ ', ''],
    ['bytes_received', '↓ ', ''],
    ['rtt_us', '', ''],
  ],
  l7: [
    ['requests', '', ' req'],
    ['error_rate', '', ' errors'],
    ['response_us', '', ''],
  ],
  dns: [
    ['dns_queries', '', ' lookups'],
    ['dns_failures', '', ' failed'],
    ['dns_us', '', ''],
  ],
};

interface PeersProps {
  layer: Layer;
  entity: EntityRef;
  answer: SummaryAnswer;
}

export function Peers({ layer, entity, answer }: PeersProps) {
  const { setView } = useView();
  const key = entityKey(entity);
  if (answer.rows.length === 0) return null;
  return (
    <section className={classes.section}>
      <h3 className={classes.heading}>
        Talks with <span className={classes.headingNote}>{plural(answer.total, 'path')}</span>
      </h3>
      <ul className={classes.peers}>
        {answer.rows.slice(0, peersMax).map((row) => {
          const opens = entityKey(row.client) === key;
          const peer = opens ? row.server : row.client;
          const details = encodeDetails({ kind: 'pair', client: row.client, server: row.server });
          const Arrow = opens ? IconArrowUpRight : IconArrowDownLeft;
          return (
            <li key={details}>
              <button type="button" className={classes.peer} onClick={() => setView({ details })}>
                <Arrow
                  size={14}
                  stroke={1.7}
                  aria-label={opens ? 'opens conversations to' : 'accepts conversations from'}
                />
                <span className={classes.peerName}>
                  <EntityLabel entity={peer} link={false} />
                </span>
                {told[layer].map(([name, before, after]) => (
                  <span key={name} className={classes.peerValue} title={metric(name).label}>
                    {before + formatMetric(name, row.metrics[name]) + after}
                  </span>
                ))}
              </button>
            </li>
          );
        })}
      </ul>
      {answer.total > peersMax && (
        <p className={classes.muted}>{`The ${peersMax} heaviest of ${answer.total}.`}</p>
      )}
    </section>
  );
}
