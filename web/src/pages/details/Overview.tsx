// What is known of an entity besides its traffic: where it is, what it belongs to, what is wrong
// with it, and the links that lead elsewhere.
import { Skeleton } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { EntityDetails } from '../../api/types';
import { entityKey, type Entity } from '../../domain/entity';
import { entityValues, fillLinks } from '../../domain/links';
import { resolveRange } from '../../domain/time';
import { OutsideLinks } from '../../parts/OutsideLinks';
import { Failure } from '../../parts/States';
import { useClusterCount } from '../../state/levels';
import { useEntity, useLinks } from '../../state/queries';
import { useView } from '../../state/view';
import { Facts } from './Facts';
import { Annotations, Labels } from './Labels';
import { Pods } from './Pods';
import classes from './overview.module.css';

export function Overview({ entity }: { entity: Entity }) {
  const known = useEntity(entityKey(entity), true);
  const { data: details } = known;
  if (known.error && !details) {
    return <Failure error={known.error} what="The overview" onRetry={() => void known.refetch()} />;
  }
  if (!details) {
    return (
      <div aria-busy="true" aria-label="Loading">
        <Skeleton height={150} radius="md" />
        <Skeleton height={90} mt={20} radius="md" />
      </div>
    );
  }
  return (
    <>
      <Problems details={details} />
      <Elsewhere entity={entity} details={details} />
      {!details.is_known && <Unknown entity={entity} />}
      <Facts entity={entity} details={details} />
      <Labels labels={details.labels} filterable={details.flow_labels} />
      <Pods details={details} />
      {details.live && <Annotations annotations={details.live.annotations} />}
    </>
  );
}

/** In words: what the cluster complains about, and what of it could not be asked. */
function Problems({ details }: { details: EntityDetails }) {
  const { live, live_problem: unasked, agent } = details;
  const failing = (live?.containers ?? []).filter(({ is_ready }) => !is_ready);
  const problems = [
    ...(live?.conditions ?? []),
    ...failing.map(({ name, state }) => `Container ${name}: ${state ?? 'not ready'}`),
    ...(details.is_known && !details.is_living ? ['It is gone: what follows is as it was.'] : []),
    ...(agent?.is_stale ? ['Its agent has been silent for a while: traffic is missing here.'] : []),
    ...(unasked
      ? [`What only the API server knows is missing, such as annotations and states: ${unasked}`]
      : []),
  ];
  if (problems.length === 0) return null;
  return (
    <ul className={classes.problems} aria-label="Problems">
      {problems.map((problem) => (
        <li key={problem}>
          <IconAlertTriangle size={15} stroke={1.7} aria-hidden />
          <span>{problem}</span>
        </li>
      ))}
    </ul>
  );
}

function Elsewhere({ entity, details }: { entity: Entity; details: EntityDetails }) {
  const { range } = useView();
  const templates = useLinks();
  const place = { node: details.node, cluster: details.cluster };
  const values = entityValues(entity, place, resolveRange(range, Date.now()));
  const links = fillLinks(templates, values);
  if (links.length === 0) return null;
  return (
    <nav className={classes.links} aria-label="Elsewhere">
      <OutsideLinks links={links} />
    </nav>
  );
}

function Unknown({ entity }: { entity: Entity }) {
  const clusters = useClusterCount();
  if (entity.kind === 'process') return null;
  return (
    <p className={classes.unknown} role="status">
      {clusters === 0
        ? 'No cluster is watched: labels, owners and states are known where the server watches one (kubernetes.watch).'
        : 'Neither a watched cluster nor an agent knows it now: it may be gone for long.'}
    </p>
  );
}
