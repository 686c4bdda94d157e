// With whom an entity talks most, and who opened those conversations.
import { IconArrowDownLeft, IconArrowUpRight } from '@tabler/icons-react';
import type { SummaryAnswer } from '../../api/types';
import { encodeDetails, type EntityRef } from '../../domain/details';
import { entityKey } from '../../domain/entity';
import { formatMetric } from '../../domain/metrics';
import { plural } from '../../domain/units';
import { EntityLabel } from '../../parts/EntityLabel';
import { useView } from '../../state/view';
import classes from './details.module.css';

const peersMax = 8;

export function Peers({ entity, answer }: { entity: EntityRef; answer: SummaryAnswer }) {
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
                <span className={classes.peerValue}>
                  ↑ {formatMetric('bytes_sent', row.metrics['bytes_sent'])}
                </span>
                <span className={classes.peerValue}>
                  ↓ {formatMetric('bytes_received', row.metrics['bytes_received'])}
                </span>
                <span className={classes.peerValue}>
                  {formatMetric('rtt_us', row.metrics['rtt_us'])}
                </span>
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
