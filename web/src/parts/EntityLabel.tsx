// An entity, the same wherever it appears: icon of its kind, name, muted qualifier; on hover a
// button to copy the name. The name is a link to the entity's details.
import { Tooltip } from '@mantine/core';
import {
  IconAffiliate,
  IconBox,
  IconCheck,
  IconClockPlay,
  IconCopy,
  IconCopyPlus,
  IconDatabase,
  IconPackage,
  IconPlayerPlay,
  IconServer2,
  IconSettings,
  IconStack2,
  IconTerminal2,
  IconWorld,
  IconWorldShare,
  type Icon,
} from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useState, type MouseEvent } from 'react';
import { encodeDetails } from '../domain/details';
import { entityQualifier, kindLabels, type Entity, type EntityKind } from '../domain/entity';
import { providerMark, providerName, providerOf, type Provider } from '../domain/provider';
import { useClusterCount } from '../state/levels';
import classes from './EntityLabel.module.css';

const icons: Record<EntityKind, Icon> = {
  process: IconTerminal2,
  host: IconServer2,
  pod: IconBox,
  workload: IconStack2,
  service: IconAffiliate,
  external: IconWorld,
  external_group: IconWorldShare,
};

/** Workloads that are not Deployments. */
const workloadIcons: Record<string, Icon> = {
  StatefulSet: IconDatabase,
  DaemonSet: IconCopyPlus,
  Job: IconPlayerPlay,
  CronJob: IconClockPlay,
  systemd: IconSettings,
  container: IconPackage,
};

interface EntityIconProps {
  kind: EntityKind;
  /** The cloud that a host runs in. */
  provider?: string | null | undefined;
  /** Kind of a workload. */
  workload?: string | null | undefined;
  size?: number;
}

export function EntityIcon({ kind, provider, workload, size = 14 }: EntityIconProps) {
  const cloud = providerOf({ kind }, provider);
  if (cloud) return <ProviderIcon provider={cloud} size={size} />;
  const Glyph = (workload && workloadIcons[workload]) || icons[kind];
  const label = workload ?? kindLabels[kind];
  return <Glyph size={size} stroke={1.6} aria-label={label} className={classes.icon} />;
}

function ProviderIcon({ provider, size }: { provider: Provider; size: number }) {
  const title = `Host in ${providerName(provider)}`;
  return (
    <svg
      className={classes.icon}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.7}
      strokeLinecap="round"
      strokeLinejoin="round"
      role="img"
      aria-label={title}
      data-provider={provider}
    >
      <title>{title}</title>
      <path d={providerMark(provider)} />
    </svg>
  );
}

export interface EntityLabelProps {
  entity: Entity;
  /** The cloud that a host runs in, where the asker knows it. */
  provider?: string | null | undefined;
  /** A link to the entity's details, unless it already stands inside a control. */
  link?: boolean;
  strong?: boolean;
  /** Whether the place it lives in is shown too. */
  qualified?: boolean;
}

export function EntityLabel({
  entity,
  provider,
  link = true,
  strong = false,
  qualified = true,
}: EntityLabelProps) {
  const hasClusters = (useClusterCount() ?? 0) !== 1;
  const place = entityQualifier(entity);
  const qualifier = entityQualifier(entity, hasClusters);
  const name = <span className={strong ? classes.strong : classes.name}>{entity.name}</span>;
  const kind = entity.workload_kind ?? kindLabels[entity.kind];
  return (
    <span className={classes.label} title={`${kind} ${entity.name}${place ? ` · ${place}` : ''}`}>
      <EntityIcon kind={entity.kind} workload={entity.workload_kind} provider={provider} />
      {link ? <EntityLink entity={entity}>{name}</EntityLink> : name}
      {qualified && qualifier && <span className={classes.qualifier}>{qualifier}</span>}
      {link && <CopyButton text={entity.name} />}
    </span>
  );
}

function EntityLink({ entity, children }: { entity: Entity; children: React.ReactNode }) {
  const details = encodeDetails({ kind: 'entity', entity });
  return (
    <Link
      to="."
      search={(previous) => ({ ...previous, details })}
      className={classes.link}
      onClick={(event) => event.stopPropagation()}
    >
      {children}
    </Link>
  );
}

export function CopyButton({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async (event: MouseEvent) => {
    event.stopPropagation();
    event.preventDefault();
    await navigator.clipboard.writeText(text);
    setCopied(true);
    window.setTimeout(() => setCopied(false), 1200);
  };
  return (
    <Tooltip label={copied ? 'Copied' : 'Copy'}>
      <button
        type="button"
        tabIndex={-1}
        className={classes.copy}
        aria-label={`Copy ${text}`}
        onClick={(event) => void copy(event)}
      >
        {copied ? <IconCheck size={12} /> : <IconCopy size={12} />}
      </button>
    </Tooltip>
  );
}
