// Why there are no rows, and the one next step.
import { Button } from '@mantine/core';
import { IconFilterOff, IconTimelineEventX } from '@tabler/icons-react';
import { NoLayerData } from '../../parts/NoLayerData';
import { Empty } from '../../parts/States';
import { useView } from '../../state/view';

export function NoFlows() {
  const { view, setView } = useView();
  const filtered = view.filter !== '';
  const what = view.layer === 'l7' ? 'request' : 'flow';
  if (!filtered && view.layer !== 'l4') return <NoLayerData layer={view.layer} />;
  return (
    <Empty
      icon={filtered ? IconFilterOff : IconTimelineEventX}
      title={filtered ? `No ${what} matches the filter` : 'No flows in this time'}
      action={
        <Button
          variant="default"
          onClick={() =>
            setView(filtered ? { filter: undefined } : { from: 'now-1h', to: undefined })
          }
        >
          {filtered ? 'Clear the filter' : 'Show the last hour'}
        </Button>
      }
    >
      {filtered
        ? 'Widen the time, or take a condition away.'
        : 'Rows arrive at the end of each window of 10 seconds. Make some traffic, or widen the time.'}
    </Empty>
  );
}
