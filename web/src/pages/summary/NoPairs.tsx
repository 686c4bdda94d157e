// Why the list of pairs is empty, and the one next step.
import { Button } from '@mantine/core';
import type { Layer } from '../../domain/layer';
import { IconFilterOff, IconPlugConnectedX } from '@tabler/icons-react';
import { NoLayerData } from '../../parts/NoLayerData';
import { Empty } from '../../parts/States';
import { useStatus } from '../../state/queries';
import { useView } from '../../state/view';

const nothings: Record<Layer, string> = {
  l4: 'No conversation',
  l7: 'No request',
  dns: 'No DNS lookup',
};

export function NoPairs() {
  const { view, setView } = useView();
  const agents = useStatus().data?.agents.length;
  if (view.filter !== '') {
    return (
      <Empty
        icon={IconFilterOff}
        title="Nothing matches the filter"
        action={
          <Button variant="default" onClick={() => setView({ filter: undefined })}>
            Clear the filter
          </Button>
        }
      >
        {nothings[view.layer]} of this time matches it. Widen the time, or take a condition away.
      </Empty>
    );
  }
  if (agents === 0) {
    return (
      <Empty icon={IconPlugConnectedX} title="No agent has sent anything yet">
        Start one with <code>weir agent --server URL --token-file FILE</code> on the host to be
        watched. The first numbers come at the end of its first window, 10 seconds later.
      </Empty>
    );
  }
  if (view.layer !== 'l4') return <NoLayerData layer={view.layer} />;
  return (
    <Empty
      icon={IconPlugConnectedX}
      title="Nothing was observed in this time"
      action={
        <Button variant="default" onClick={() => setView({ from: 'now-1h', to: undefined })}>
          Show the last hour
        </Button>
      }
    >
      Numbers arrive at the end of each window of 10 seconds. Make some traffic, or widen the time.
    </Empty>
  );
}
