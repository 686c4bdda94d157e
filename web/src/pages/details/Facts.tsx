// Facts of an entity, each with its name: where it is, since when, what owns it, what runs in it.
import { Fragment, type ReactNode } from 'react';
import type { EntityDetails } from '../../api/types';
import { entityOfRef, type Entity } from '../../domain/entity';
import { providerName } from '../../domain/provider';
import { formatAge, formatMoment, formatMomentExact } from '../../domain/time';
import { CopyButton, EntityLabel } from '../../parts/EntityLabel';
import classes from './overview.module.css';

type Fact = readonly [name: string, value: ReactNode];

export function Facts({ entity, details }: { entity: Entity; details: EntityDetails }) {
  const facts = [
    ...placeFacts(entity, details),
    ...addressFacts(details),
    ...ownFacts(details),
    ...hostFacts(details),
  ].filter(([, value]) => value !== null && value !== undefined && value !== '');
  return (
    <dl className={classes.facts} aria-label="Facts">
      {facts.map(([name, value]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </Fragment>
      ))}
    </dl>
  );
}

function host(name: string) {
  return <EntityLabel entity={{ kind: 'host', id: name, name }} />;
}

function placeFacts(entity: Entity, details: EntityDetails): Fact[] {
  const { created_ms: created } = details;
  return [
    ['Kind', details.workload_kind && entity.kind === 'workload' ? details.workload_kind : null],
    ['Namespace', details.namespace],
    ['Cluster', details.cluster],
    ['Node', details.node ? host(details.node) : null],
    ['Host', entity.host ? host(entity.host) : null],
    ['Zone', [details.zone, details.region].filter(Boolean).join(' · ')],
    ['Owner', details.owners.length > 0 ? <Owners details={details} /> : null],
    ['Created', created ? <Moment ms={created} /> : null],
  ];
}

/** The chain of controllers, the nearest first; the topmost is the workload. */
function Owners({ details }: { details: EntityDetails }) {
  const { owners, namespace, cluster } = details;
  return (
    <span className={classes.chain}>
      {owners.map(({ kind, name }, at) => {
        const isTop = at === owners.length - 1;
        const id = [cluster, namespace, name].filter(Boolean).join('/');
        const workload = { ...entityOfRef({ kind: 'workload', id }), workload_kind: kind };
        return (
          <Fragment key={`${kind} ${name}`}>
            {at > 0 && <span className={classes.of}>of</span>}
            <span className={classes.kind}>{kind}</span>
            {isTop ? <EntityLabel entity={workload} qualified={false} /> : <span>{name}</span>}
          </Fragment>
        );
      })}
    </span>
  );
}

function addressFacts(details: EntityDetails): Fact[] {
  const list = (addresses: readonly string[]) =>
    addresses.length === 0 ? null : (
      <span className={classes.list}>
        {addresses.map((address) => (
          <span key={address} className={classes.copied}>
            {address}
            <CopyButton text={address} />
          </span>
        ))}
      </span>
    );
  const ports = details.ports.map(({ port, transport, node_port: nodePort }) => {
    const text = `${port}/${transport}`;
    return nodePort ? `${text} (on nodes ${nodePort})` : text;
  });
  return [
    ['Addresses', list(details.addresses)],
    ['Outside addresses', list(details.external_addresses)],
    ['Ports', ports.join(', ')],
  ];
}

function ownFacts({ live }: EntityDetails): Fact[] {
  if (!live) return [];
  const { replicas, ready_replicas: ready } = live;
  return [
    ['Phase', live.phase],
    ['Pods ready', replicas == null ? null : `${ready ?? 0} of ${replicas}`],
    [
      'Containers',
      live.containers.length === 0 ? null : (
        <ul className={classes.containers}>
          {live.containers.map(({ name, image, state, restarts, is_ready: isReady }) => (
            <li key={name}>
              <strong>{name}</strong> {image}
              <span className={isReady ? classes.good : classes.bad}>{state ?? 'unknown'}</span>
              {restarts > 0 && <span className={classes.of}>{restarts} restarts</span>}
            </li>
          ))}
        </ul>
      ),
    ],
  ];
}

function hostFacts({ machine, agent }: EntityDetails): Fact[] {
  return [
    ['Cloud', machine?.provider ? providerName(machine.provider) : null],
    ['Instance', [machine?.instance, machine?.instance_type].filter(Boolean).join(' · ')],
    [
      'Agent',
      agent ? (
        <span>
          <span className={agent.is_stale ? classes.bad : classes.good}>
            {agent.is_stale ? 'silent' : 'sends'}
          </span>{' '}
          {agent.version ? `version ${agent.version}, ` : ''}
          last heard of <Moment ms={agent.last_seen_ms} />
        </span>
      ) : null,
    ],
  ];
}

function Moment({ ms }: { ms: number }) {
  return (
    <span title={formatMomentExact(ms)}>
      {formatMoment(ms)} <span className={classes.of}>{formatAge(ms, Date.now())}</span>
    </span>
  );
}
