// Why there are no requests or no DNS queries, and what can be done about it.
import { Button } from '@mantine/core';
import { IconApiOff, IconWorldSearch } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { searchFor, toLayer } from '../domain/search';
import { useView } from '../state/view';
import { Empty } from './States';
import classes from './NoLayerData.module.css';

const reasons: Record<'l7' | 'dns', readonly ReactNode[]> = {
  l7: [
    <>
      Reading requests was switched off, with <code>agent.l7 = false</code>, or ports, processes or
      containers were left out.
    </>,
    <>
      Nobody spoke HTTP or gRPC: what else there was stands under <strong>L4</strong>.
    </>,
    <>
      It was encrypted by a library that is not watched: <code>weir check</code> on the host says
      what is read.
    </>,
  ],
  dns: [
    <>Nobody looked up a name: programs keep answers, and addresses need no name.</>,
    <>
      Names were asked over HTTPS or TLS, which is not read: those connections stand under{' '}
      <strong>L4</strong>.
    </>,
    <>
      Reading DNS, or watching UDP, is switched off: <code>agent.dns</code> and{' '}
      <code>agent.udp</code> in <code>weir config</code>.
    </>,
  ],
};

export function NoLayerData({ layer }: { layer: 'l7' | 'dns' }) {
  const { view, asked, setView } = useView();
  const what = layer === 'l7' ? 'requests' : 'DNS lookups';
  return (
    <Empty
      icon={layer === 'l7' ? IconApiOff : IconWorldSearch}
      title={`No ${what} were seen in this time`}
      action={
        <span className={classes.actions}>
          <Button variant="default" onClick={() => setView({ from: 'now-1h', to: undefined })}>
            Show the last hour
          </Button>
          <Button variant="default" onClick={() => setView(toLayer('l4', view.filter, asked))}>
            Show L4
          </Button>
          <Button
            variant="subtle"
            component={Link}
            to="/status"
            search={searchFor('/status') as never}
          >
            Agents and losses
          </Button>
        </span>
      }
    >
      <span className={classes.lead}>There may be traffic all the same:</span>
      <span className={classes.reasons} role="list">
        {reasons[layer].map((reason, index) => (
          <span key={index} role="listitem">
            {reason}
          </span>
        ))}
      </span>
    </Empty>
  );
}
