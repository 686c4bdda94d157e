// Fields of the filter language in words. Pure.
import type { FieldSchema } from './schema.gen';

const ends: Partial<Record<FieldSchema['side'], string>> = {
  client: 'the client',
  server: 'the server',
  either: 'either end',
};

/** What a field holds; the schema words it for the column, which knows only local and remote. */
export function fieldDoc(field: FieldSchema): string {
  const end = ends[field.side];
  if (end === undefined) return field.doc;
  return field.doc.replace(/the (?:local|observed|other|remote) end/g, end);
}
