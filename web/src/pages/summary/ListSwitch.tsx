// What the summary lists: who talks to whom, or what was asked for.
import { SegmentedControl } from '@mantine/core';
import type { Layer } from '../../domain/layer';
import { useView } from '../../state/view';

const names: Record<Layer, readonly [string, string] | null> = {
  l4: null,
  l7: ['Clients and servers', 'Request paths'],
  dns: ['Clients and servers', 'Names'],
};

export function ListSwitch({ layer }: { layer: Layer }) {
  const { view, setView } = useView();
  const labels = names[layer];
  if (!labels) return null;
  return (
    <SegmentedControl
      aria-label="What is listed"
      value={view.list ?? 'pairs'}
      onChange={(value) =>
        setView({ list: value === 'groups' ? 'groups' : undefined, sort: undefined })
      }
      data={[
        { value: 'pairs', label: labels[0] },
        { value: 'groups', label: labels[1] },
      ]}
    />
  );
}
