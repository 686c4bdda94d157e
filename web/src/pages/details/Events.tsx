// What its cluster says happened to an entity, newest first.
import { Skeleton } from '@mantine/core';
import { IconAlertTriangle, IconCalendarOff, IconInfoCircle } from '@tabler/icons-react';
import type { EntityEvent } from '../../api/types';
import { entityKey, type Entity } from '../../domain/entity';
import { formatAge, formatMoment, formatMomentExact } from '../../domain/time';
import { Empty, Failure } from '../../parts/States';
import { useEvents } from '../../state/queries';
import classes from './overview.module.css';

/** Seconds between looks while the tab is open. */
const lookEvery = 15;

export function Events({ entity }: { entity: Entity }) {
  const events = useEvents(entityKey(entity), { every: lookEvery });
  const { data } = events;
  if (events.error && !data) {
    return <Failure error={events.error} what="Events" onRetry={() => void events.refetch()} />;
  }
  if (!data) return <Skeleton height={220} radius="md" aria-label="Loading" />;
  if (!data.is_watched) {
    return (
      <Empty icon={IconCalendarOff} title="No cluster is watched for it">
        Events are those of the Kubernetes cluster that an entity is of. The server watches one
        where it runs in a Pod, or where <code>kubernetes.url</code> names its API server.
      </Empty>
    );
  }
  if (data.events.length === 0) {
    return (
      <Empty icon={IconCalendarOff} title="Nothing happened to it">
        The cluster has no events of it. Kubernetes forgets events after an hour unless it is told
        otherwise.
      </Empty>
    );
  }
  return (
    <ol className={classes.events} aria-label="Events">
      {data.events.map((event) => (
        <Event
          key={`${event.about_name} ${event.reason} ${event.first_ms} ${event.message}`}
          event={event}
        />
      ))}
    </ol>
  );
}

function Event({ event }: { event: EntityEvent }) {
  const isWarning = event.severity === 'Warning';
  const Glyph = isWarning ? IconAlertTriangle : IconInfoCircle;
  return (
    <li className={classes.event} data-severity={event.severity}>
      <Glyph size={15} stroke={1.7} aria-label={event.severity} />
      <div>
        <p className={classes.eventHead}>
          <strong>{event.reason}</strong>
          {event.count > 1 && <span className={classes.count}>×{event.count}</span>}
          <span className={classes.of}>
            {event.about_kind} {event.about_name}
          </span>
        </p>
        <p className={classes.eventText}>{event.message}</p>
        <p className={classes.of}>
          <Times event={event} />
          {event.source ? ` · ${event.source}` : ''}
        </p>
      </div>
    </li>
  );
}

function Times({ event: { count, first_ms: first, last_ms: last } }: { event: EntityEvent }) {
  const when = `${formatMoment(last)}, ${formatAge(last, Date.now())}`;
  if (count <= 1 || first === last) return <span title={formatMomentExact(last)}>{when}</span>;
  return (
    <span title={`${formatMomentExact(first)}, then ${formatMomentExact(last)}`}>
      last {when} · first {formatMoment(first)}
    </span>
  );
}
