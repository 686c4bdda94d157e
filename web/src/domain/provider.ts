// Clouds that hosts run in: their names, and the mark of a host in each. Pure.
//
// The marks are our own: a server below two letters. They are no logos, which belong to others.
import type { Entity } from './entity';

export type Provider = 'aws' | 'gcp' | 'azure' | 'alibaba' | 'tencent' | 'huawei' | 'openstack';

const names: Record<Provider, string> = {
  aws: 'Amazon Web Services',
  gcp: 'Google Cloud',
  azure: 'Microsoft Azure',
  alibaba: 'Alibaba Cloud',
  tencent: 'Tencent Cloud',
  huawei: 'Huawei Cloud',
  openstack: 'OpenStack',
};

const letters: Record<Provider, string> = {
  aws: 'AW',
  gcp: 'GC',
  azure: 'AZ',
  alibaba: 'AL',
  tencent: 'TC',
  huawei: 'HW',
  openstack: 'OS',
};

export const providers = Object.keys(names) as Provider[];

function isProvider(word: string): word is Provider {
  return Object.hasOwn(names, word);
}

/** What the cloud is called; a word that is not known stands for itself. */
export function providerName(provider: string): string {
  return isProvider(provider) ? names[provider] : provider;
}

/** Whose mark an entity gets; none where it gets that of its kind. */
export function providerOf(
  entity: Pick<Entity, 'kind'>,
  provider?: string | null,
): Provider | null {
  return entity.kind === 'host' && provider && isProvider(provider) ? provider : null;
}

/** Strokes of letters in a box 8 wide and 10 high. */
const strokes: Record<string, (x: number) => string> = {
  A: (x) => `M${x} 13l4-10l4 10M${x + 1.4} 9.6h5.2`,
  C: (x) => `M${x + 7.5} 4.9q-1.3-1.9-3.5-1.9q-4 0-4 5t4 5q2.2 0 3.5-1.9`,
  G: (x) => `M${x + 7.5} 4.9q-1.3-1.9-3.5-1.9q-4 0-4 5t4 5q4 0 4-4.6h-3.6`,
  H: (x) => `M${x} 3v10M${x + 8} 3v10M${x} 8h8`,
  L: (x) => `M${x + 0.6} 3v10h7`,
  O: (x) => `M${x + 4} 3q-4 0-4 5t4 5t4-5t-4-5`,
  S: (x) =>
    `M${x + 7.4} 4.6q-1.2-1.6-3.4-1.6q-3.4 0-3.4 2.5t3.4 2.5t3.6 2.5t-3.6 2.5q-2.6 0-3.8-1.8`,
  T: (x) => `M${x} 3h8M${x + 4} 3v10`,
  W: (x) => `M${x - 0.4} 3l2.2 10l2.2-7l2.2 7l2.2-10`,
  Z: (x) => `M${x} 3h8l-8 10h8`,
};

const server = 'M3 16.5h18v4.6h-18zM6.4 18.8h.01';

/** The mark of a host in this cloud: a path on a grid of 24, drawn as strokes. */
export function providerMark(provider: Provider): string {
  const drawn = [...letters[provider]].map((letter, i) => strokes[letter]?.(i === 0 ? 2.6 : 13.4));
  return drawn.join('') + server;
}
