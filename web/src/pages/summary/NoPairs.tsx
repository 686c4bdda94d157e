// Why the list of pairs is empty, and the one next step.
import { Button } from '@mantine/core';
import { IconFilterOff, IconPlugConnectedX } from '@tabler/icons-react';
import { Empty } from '../../parts/States';
import { useStatus } from '../../state/queries';
import { useView } from '../../state/view';

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
        No conversation of this time matches it. Widen the time, or take a condition away.
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
