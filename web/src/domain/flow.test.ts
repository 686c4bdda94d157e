import { describe, expect, it } from 'vitest';
import {
  addressText,
  flowEnds,
  flowFacts,
  flowKeys,
  flowNumber,
  flowTimeMs,
  requestsBehind,
  type FlowFields,
} from './flow';
import type { Level } from './entity';
import { layerSchemas } from './layer';

const timeColumn =
  layerSchemas.l7.rowColumns.find(({ type }) => type === 'timestamp_ms')?.name ?? '';

const row: FlowFields = {
  window_start_ms: 1_795_262_400_000,
  window_ms: 10_000,
  agent: 'a1',
  direction: 'outgoing',
  transport: 'tcp',
  family: 'ipv4',
  local_ip: '10.0.0.1',
  remote_ip: '93.184.216.34',
  remote_port: 443,
  pid: 812,
  local_process: 'curl',
  local_host: 'web',
  remote_domain: 'example.org',
  client_ip: '10.0.0.1',
  client_process: 'curl',
  client_host: 'web',
  server_ip: '93.184.216.34',
  server_port: 443,
  server_domain: 'example.org',
  bytes_sent: 1240,
  rtt_us: 750,
  rtt_us_sum: 3000,
  rtt_samples: 4,
};

describe('a flow row', () => {
  it('has a client and a server', () => {
    const { client, server } = flowEnds(row, 'process');
    expect(client).toEqual({
      entity: { kind: 'process', id: 'web/curl', name: 'curl', host: 'web' },
      address: '10.0.0.1',
    });
    expect(server.entity).toEqual({ kind: 'external', id: 'example.org', name: 'example.org' });
    expect(server.address).toBe('93.184.216.34:443');
  });

  it('names the ends at the level', () => {
    expect(flowEnds(row, 'host').client.entity).toEqual({ kind: 'host', id: 'web', name: 'web' });
  });

  it('is the Service where nobody knows who answered', () => {
    const dns = {
      ...row,
      server_domain: null,
      server_cluster: 'eu',
      server_namespace: 'kube-system',
      server_service: 'coredns',
      server_deployment: 'coredns',
    };
    const end = (level: Level) => flowEnds(dns, level).server.entity;
    expect(end('pod')).toMatchObject({ kind: 'service', id: 'eu/kube-system/coredns' });
    expect(end('deployment')).toMatchObject({ kind: 'workload', id: 'eu/kube-system/coredns' });
    expect(end('process')).toMatchObject({ kind: 'external', id: '93.184.216.34' });
  });

  it('has no number where the kernel gave none', () => {
    expect(flowNumber(row, 'rtt_us')).toBe(750);
    expect(flowNumber(row, 'jitter_us')).toBeNull();
    expect(flowNumber({ ...row, retransmits: null }, 'retransmits')).toBeNull();
    expect(flowNumber({ ...row, retransmits: 0 }, 'retransmits')).toBe(0);
  });

  it('is told apart by its identity, not by its counters', () => {
    const key = (fields: FlowFields) => flowKeys('l4', [fields])[0];
    expect(key({ ...row, bytes_sent: 5 })).toBe(key(row));
    expect(key({ ...row, pid: 5 })).not.toBe(key(row));
    expect(key({ ...row, remote_port: null })).not.toBe(key(row));
    expect(new Set(flowKeys('l4', [row, row, row])).size).toBe(3);
  });

  it('shows what is known and only that', () => {
    const facts = flowFacts('l4', row).flatMap((group) => group.facts);
    const of = (column: string) => facts.find((fact) => fact.column === column);
    expect(of('remote_process')).toBeUndefined();
    expect(of('bytes_sent')).toMatchObject({ text: '1.24 kB', exact: '1,240 bytes', clause: null });
    expect(of('remote_domain')).toMatchObject({ clause: 'remote_domain:example.org' });
    expect(of('rtt_us')).toMatchObject({ text: '750 µs' });
    expect(of('rtt_us_sum')).toBeUndefined();
  });

  it('puts IPv6 addresses in brackets before a port', () => {
    expect(addressText('::1', 80)).toBe('[::1]:80');
    expect(addressText('::1', null)).toBe('::1');
  });
});

describe('a request', () => {
  const request: FlowFields = {
    [timeColumn]: 1_795_262_400_061,
    direction: 'outgoing',
    method: 'GET',
    status: 404,
    response_us: 1840,
    weight: 3,
  };
  const facts = flowFacts('l7', request).flatMap((group) => group.facts);
  const of = (column: string) => facts.find((fact) => fact.column === column);

  it('has the time at which it began', () => {
    expect(flowTimeMs('l7', request)).toBe(1_795_262_400_061);
    expect(flowTimeMs('l4', { window_start_ms: 5 })).toBe(5);
    expect(flowTimeMs('l7', {})).toBeNull();
  });

  it('can be filtered by what names it, not by what was measured', () => {
    expect(of('method')).toMatchObject({ clause: 'method:GET' });
    expect(of('status')).toMatchObject({ clause: 'status:404' });
    expect(of('response_us')).toMatchObject({ text: '1.84 ms', clause: null });
    expect(of(timeColumn)?.clause).toBeNull();
  });

  it('has a fact for each header that is kept, which a filter finds', () => {
    const headers = 'x-request-id: a-1\nuser-agent: shop (v1: new)';
    const kept = flowFacts('l7', { ...request, headers })
      .flatMap((group) => group.facts)
      .filter(({ column }) => column === 'headers');
    expect(kept.map(({ label, text, clause }) => [label, text, clause])).toEqual([
      ['x-request-id', 'a-1', 'headers:*x-request-id??a-1*'],
      ['user-agent', 'shop (v1: new)', 'headers:*user-agent??shop??v1??new?*'],
    ]);
    expect(facts.some(({ column }) => column === 'headers')).toBe(false);
  });

  it('stands for as many as its weight says', () => {
    expect(requestsBehind([request, { ...request, weight: 1 }, {}])).toBe(5);
  });
});
