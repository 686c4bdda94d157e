import { describe, expect, it } from 'vitest';
import { decodeDetails, encodeDetails, tabsOf, type DetailsTab, type EntityRef } from './details';

describe('tabs of an entity', () => {
  it.each<[EntityRef, boolean, DetailsTab[]]>([
    [{ kind: 'pod', id: 'eu/shop/cart-1' }, true, ['network', 'overview', 'events', 'logs']],
    [{ kind: 'service', id: 'eu/shop/cart' }, true, ['network', 'overview', 'events', 'logs']],
    [{ kind: 'workload', id: 'eu/shop/cart' }, true, ['network', 'overview', 'events', 'logs']],
    [{ kind: 'workload', id: 'web/nginx.service' }, true, ['network', 'overview']],
    [{ kind: 'host', id: 'web' }, true, ['network', 'overview', 'events']],
    [{ kind: 'host', id: 'web' }, false, ['network', 'overview']],
    [{ kind: 'process', id: 'web/nginx' }, true, ['network', 'overview']],
    [{ kind: 'external', id: 'example.com' }, true, ['network']],
  ])('%j, with a cluster: %s', (entity, hasCluster, tabs) =>
    expect(tabsOf(entity, hasCluster)).toEqual(tabs),
  );

  it('an entity in a link is the one that was meant', () => {
    const entity: EntityRef = { kind: 'process', id: 'web/a|b 100%' };
    expect(decodeDetails(encodeDetails({ kind: 'entity', entity }))).toEqual({
      kind: 'entity',
      entity,
    });
  });
});
