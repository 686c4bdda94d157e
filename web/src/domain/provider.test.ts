import { describe, expect, it } from 'vitest';
import { providerMark, providerName, providerOf, providers } from './provider';

describe('clouds of hosts', () => {
  it('have names, and marks that differ', () => {
    expect(providerName('gcp')).toBe('Google Cloud');
    expect(providerName('digitalocean')).toBe('digitalocean');
    const marks = providers.map(providerMark);
    expect(new Set(marks).size).toBe(providers.length);
    for (const mark of marks) expect(mark).toMatch(/^M[-\d. a-zM]+$/);
  });

  it('mark hosts and nothing else', () => {
    expect(providerOf({ kind: 'host' }, 'aws')).toBe('aws');
    expect(providerOf({ kind: 'process' }, 'aws')).toBeNull();
    expect(providerOf({ kind: 'host' }, 'digitalocean')).toBeNull();
    expect(providerOf({ kind: 'host' }, 'constructor')).toBeNull();
    expect(providerOf({ kind: 'host' }, null)).toBeNull();
    expect(providerOf({ kind: 'host' })).toBeNull();
  });
});
