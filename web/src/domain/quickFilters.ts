// The quick filters at the left: which fields stand in which section, in which order. Pure.
import { fieldDoc } from './fields';
import { layerSchemas, type Layer } from './layer';
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
  'pod_uid',
  'pod',
  'namespace',
  'deployment',
  'workload_kind',
  'service',
  'zone',
  'region',
  'cluster',
  'labels',
]);

const labels: Record<string, string> = {
  ip: 'IP address',
  pid: 'PID',
  netns: 'Network namespace',
  deployment: 'Workload',
  workload_kind: 'Workload kind',
  family: 'IP version',
  path: 'Path template',
  grpc_status: 'gRPC status',
  trace_id: 'Trace id',
  dns_name: 'Name',
  dns_type: 'Record type',
  rcode: 'Answer code',
};

/** The most asked for first; the rest follow in the schema's order. */
const columnOrder = ['process', 'host', 'domain', 'ip', 'port', 'container'];

function label(column: string): string {
  return labels[column] ?? column.charAt(0).toUpperCase() + column.slice(1).replaceAll('_', ' ');
}

function sideFields(layer: Layer, side: 'client' | 'server', hasCluster: boolean): FilterField[] {
  const fields = layerSchemas[layer].fields.sums.filter((field) => {
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

function named(layer: Layer, names: readonly string[]): FilterField[] {
  return names.flatMap((name) => {
    const field = layerSchemas[layer].fields.sums.find((known) => known.name === name);
    return field ? [{ name, label: label(field.column), doc: fieldDoc(field) }] : [];
  });
}

/** Of either end, where a cluster is watched. */
const inCluster = ['namespace', 'deployment', 'service', 'pod', 'zone', 'cluster', 'labels'];

/** What only this layer can be asked; L4 has its directions and protocols instead. */
const ownFields: Record<Layer, { title: string; names: readonly string[] }> = {
  l4: { title: '', names: [] },
  l7: {
    title: 'Request',
    names: ['protocol', 'method', 'status', 'grpc_status', 'path', 'encryption'],
  },
  dns: { title: 'Lookup', names: ['dns_name', 'dns_type', 'rcode'] },
};

const observation: Record<Layer, readonly string[]> = {
  l4: ['family', 'agent', 'netns'],
  l7: ['direction', 'family', 'agent', 'netns'],
  dns: ['direction', 'transport', 'family', 'agent', 'netns'],
};

export function quickFilterSections(layer: Layer, levels: readonly Level[]): FilterSection[] {
  const hasCluster = levels.includes('pod');
  const own = ownFields[layer];
  return [
    { id: 'own', title: own.title, fields: named(layer, own.names) },
    { id: 'cluster', title: 'Cluster', fields: hasCluster ? named(layer, inCluster) : [] },
    { id: 'either', title: 'Either end', fields: named(layer, ['host', 'process', 'pid']) },
    { id: 'client', title: 'Client', fields: sideFields(layer, 'client', hasCluster) },
    { id: 'server', title: 'Server', fields: sideFields(layer, 'server', hasCluster) },
    { id: 'flow', title: 'Observation', fields: named(layer, observation[layer]) },
  ].filter(({ fields }) => fields.length > 0);
}

/** Open until someone closes them. */
export const openAtFirst: readonly string[] = [
  'protocol',
  'method',
  'status',
  'path',
  'dns_type',
  'rcode',
  'namespace',
  'labels',
  'client_process',
  'server_process',
  'server_port',
];

export const directions = ['outgoing', 'incoming'] as const;
export const transports = [null, 'tcp', 'udp'] as const;

export type Direction = (typeof directions)[number];
export type Transport = (typeof transports)[number];

export function transportLabel(transport: Transport): string {
  return transport === null ? 'Any' : transport.toUpperCase();
}
