import { describe, expect, it } from 'vitest';
import { fieldDoc } from './fields';
import { l4Fields } from './schema.gen';

describe('words of a field', () => {
  const doc = (name: string) => {
    const field = l4Fields.find((known) => known.name === name);
    if (!field) throw new Error(`no field ${name}`);
    return fieldDoc(field);
  };

  it('speak of the end that the field means', () => {
    expect(doc('client_host')).toContain('the client');
    expect(doc('server_host')).toContain('the server');
    expect(doc('host')).toContain('either end');
    expect(doc('local_host')).toContain('the local end');
  });

  it('never call a client or a server the local end', () => {
    const wrong = l4Fields.filter(
      (field) =>
        ['client', 'server', 'either'].includes(field.side) &&
        /(local|observed) end/.test(fieldDoc(field)),
    );
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });
});
