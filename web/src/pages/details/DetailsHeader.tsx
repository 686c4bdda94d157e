// Who the details are about: one entity, or client and server with the direction between them.
import { IconArrowNarrowRight } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import type { Details } from '../../domain/details';
import type { EntityDetails } from '../../api/types';
import {
  entityKey,
  entityOfRef,
  entityQualifier,
  kindLabels,
  type Entity,
} from '../../domain/entity';
import { providerName } from '../../domain/provider';
import { EntityIcon, EntityLabel } from '../../parts/EntityLabel';
import { useClusterCount } from '../../state/levels';
import { useEntity } from '../../state/queries';
import classes from './details.module.css';

interface DetailsHeaderProps {
  details: Details;
  actions: ReactNode;
}

export function DetailsHeader({ details, actions }: DetailsHeaderProps) {
  return (
    <header className={classes.header}>
      {details.kind === 'pair' ? (
        <div className={classes.pair}>
          <End role="Client" entity={entityOfRef(details.client)} />
          <span className={classes.arrow} title="The client opened the conversation">
            <IconArrowNarrowRight size={20} stroke={1.5} aria-label="to" />
          </span>
          <End role="Server" entity={entityOfRef(details.server)} />
        </div>
      ) : (
        <Single entity={entityOfRef(details.entity)} />
      )}
      <div className={classes.actions}>{actions}</div>
    </header>
  );
}

function End({ role, entity }: { role: string; entity: Entity }) {
  return (
    <div className={classes.end}>
      <span className={classes.role}>
        {role} · {kindOf(entity)}
      </span>
      <EntityLabel entity={entity} strong />
    </div>
  );
}

function kindOf(entity: Entity): string {
  return (entity.workload_kind ?? kindLabels[entity.kind]).toLowerCase();
}

function Single({ entity }: { entity: Entity }) {
  const clusters = useClusterCount();
  const isHost = entity.kind === 'host';
  const known = useEntity(entityKey(entity), isHost).data;
  const machine = known?.machine;
  return (
    <div className={classes.single}>
      <span className={classes.badge}>
        <EntityIcon kind={entity.kind} provider={machine?.provider} size={22} />
      </span>
      <div className={classes.end}>
        <span className={classes.role}>{kindOf(entity)}</span>
        <h2 className={classes.name}>{entity.name}</h2>
        {isHost && known && <HostPlace known={known} />}
        {entity.namespace && (
          <span className={classes.where}>in {entityQualifier(entity, (clusters ?? 0) !== 1)}</span>
        )}
        {entity.host && !isHost && (
          <span className={classes.where}>
            on <EntityLabel entity={{ kind: 'host', id: entity.host, name: entity.host }} />
          </span>
        )}
      </div>
    </div>
  );
}

/** Where a host's machine is, as its cloud says; nothing of one that is in none. */
function HostPlace({ known }: { known: EntityDetails }) {
  const { machine, zone, region } = known;
  const provider = machine?.provider && providerName(machine.provider);
  const facts = [provider, machine?.instance_type, zone ?? region, machine?.instance];
  const text = facts.filter(Boolean).join(' · ');
  if (!text) return null;
  return (
    <span className={classes.where} data-place title={text}>
      {text}
    </span>
  );
}
