// Layers: the transport (L4), requests (L7) and names (DNS), and what the schema has for each. Pure.
import { readChips, removeChip } from './filterEdit';
import { tokenize } from './filterText';
import {
  dnsFields,
  dnsMetrics,
  l4Columns,
  l4Fields,
  l4Metrics,
  l7Fields,
  l7Metrics,
  l7SampleColumns,
  l7SampleFields,
  type ColumnSchema,
  type FieldSchema,
  type MetricSchema,
} from './schema.gen';

export type Layer = 'l4' | 'l7' | 'dns';

export const layers: readonly Layer[] = ['l4', 'l7', 'dns'];

export const layerLabels: Record<Layer, string> = { l4: 'L4', l7: 'L7', dns: 'DNS' };

export const layerDocs: Record<Layer, string> = {
  l4: 'Transport: bytes, delay and connections of TCP and UDP',
  l7: 'Requests of HTTP and gRPC: how many, how fast, with which status',
  dns: 'Names that were looked up, and how that went',
};

/** Whether a question is about sums, or about single rows: requests have fields of their own. */
export type Asked = 'sums' | 'rows';

export interface LayerSchema {
  metrics: readonly MetricSchema[];
  fields: Record<Asked, readonly FieldSchema[]>;
  /** Columns of its single rows; none where single rows are not kept. */
  rowColumns: readonly ColumnSchema[];
}

export const layerSchemas: Record<Layer, LayerSchema> = {
  l4: { metrics: l4Metrics, fields: { sums: l4Fields, rows: l4Fields }, rowColumns: l4Columns },
  l7: {
    metrics: l7Metrics,
    fields: { sums: l7Fields, rows: l7SampleFields },
    rowColumns: l7SampleColumns,
  },
  dns: { metrics: dnsMetrics, fields: { sums: dnsFields, rows: dnsFields }, rowColumns: [] },
};

type Names = Record<Asked, ReadonlySet<string>>;

function namesOf(layer: Layer): Names {
  const { sums, rows } = layerSchemas[layer].fields;
  const names = (fields: readonly FieldSchema[]) => new Set(fields.map(({ name }) => name));
  return { sums: names(sums), rows: names(rows) };
}

const fieldNames: Record<Layer, Names> = {
  l4: namesOf('l4'),
  l7: namesOf('l7'),
  dns: namesOf('dns'),
};

export function hasField(layer: Layer, asked: Asked, name: string): boolean {
  return fieldNames[layer][asked].has(name);
}

function isKnownAnywhere(name: string): boolean {
  return layers.some((layer) => hasField(layer, 'sums', name) || hasField(layer, 'rows', name));
}

/** Whether every field that the text names can be asked; a misspelt one is nobody's. */
function isUnderstood(text: string, layer: Layer, asked: Asked): boolean {
  return tokenize(text)
    .filter((token) => token.kind === 'key')
    .every(({ text: name }) => hasField(layer, asked, name) || !isKnownAnywhere(name));
}

/** The filter without the conditions that only another layer, or only single rows, can answer. */
export function filterForLayer(filter: string, layer: Layer, asked: Asked = 'sums'): string {
  let kept = filter;
  for (const chip of readChips(filter).reverse()) {
    if (!isUnderstood(chip.text, layer, asked)) kept = removeChip(kept, chip.index);
  }
  return kept;
}
