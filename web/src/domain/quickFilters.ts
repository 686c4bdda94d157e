// The quick filters at the left: which fields stand in which section, in which order. Pure.
import { fieldDoc } from './fields';
import { l4Fields } from './schema.gen';
import type { Level } from './entity';

export interface FilterField {
  name: string;
  label: string;
  doc: string;
}

export interface FilterSection {
  id: string;
  title: string;
  fields: readonly FilterField[];
}

/** Columns that only a watched cluster or cloud fills. */
const clusterColumns = new Set([
  'pod',
  'namespace',
  'deployment',
  'workload_kind',
  'service',
  'zone',
  'region',
  'cluster',
]);

const labels: Record<string, string> = {
  ip: 'IP address',
  pid: 'PID',
  netns: 'Network namespace',
  deployment: 'Workload',
  workload_kind: 'Workload kind',
  family: 'IP version',
};

/** The most asked for first; the rest follow in the schema's order. */
const columnOrder = ['process', 'host', 'domain', 'ip', 'port', 'container'];

function label(column: string): string {
  return labels[column] ?? column.charAt(0).toUpperCase() + column.slice(1).replaceAll('_', ' ');
}

function sideFields(side: 'client' | 'server', hasCluster: boolean): FilterField[] {
  const fields = l4Fields.filter((field) => {
    return field.side === side && field.is_key && (hasCluster || !clusterColumns.has(field.column));
  });
  const place = (column: string) => {
    const at = columnOrder.indexOf(column);
    return at < 0 ? columnOrder.length : at;
  };
  return fields
    .map((field, index) => ({ field, index }))
    .sort((a, b) => place(a.field.column) - place(b.field.column) || a.index - b.index)
    .map(({ field }) => ({ name: field.name, label: label(field.column), doc: fieldDoc(field) }));
}

function named(names: readonly string[]): FilterField[] {
  return names.flatMap((name) => {
    const field = l4Fields.find((known) => known.name === name);
    return field ? [{ name, label: label(field.column), doc: fieldDoc(field) }] : [];
  });
}

export function quickFilterSections(levels: readonly Level[]): FilterSection[] {
  const hasCluster = levels.includes('pod');
  return [
    { id: 'either', title: 'Either end', fields: named(['host', 'process', 'pid']) },
    { id: 'client', title: 'Client', fields: sideFields('client', hasCluster) },
    { id: 'server', title: 'Server', fields: sideFields('server', hasCluster) },
    { id: 'flow', title: 'Observation', fields: named(['family', 'agent', 'netns']) },
  ];
}

/** Open until someone closes them. */
export const openAtFirst: readonly string[] = ['client_process', 'server_process', 'server_port'];

export const directions = ['outgoing', 'incoming'] as const;
export const transports = [null, 'tcp', 'udp'] as const;

export type Direction = (typeof directions)[number];
export type Transport = (typeof transports)[number];

export function transportLabel(transport: Transport): string {
  return transport === null ? 'Any' : transport.toUpperCase();
}
