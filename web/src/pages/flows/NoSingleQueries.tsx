// DNS on the page of single rows: there are none, and this says where to look instead.
import { Button } from '@mantine/core';
import { IconWorldSearch } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { addClauses } from '../../domain/filterEdit';
import { searchFor, toLayer, type ViewSearch } from '../../domain/search';
import { Empty } from '../../parts/States';
import { useView } from '../../state/view';
import { LayerTabs } from './LayerTabs';
import classes from './flows.module.css';

const dnsConnections = 'server_port:53';

export function NoSingleQueries() {
  const { view, setView } = useView();
  const showConnections = () => {
    const changes = toLayer('l4', view.filter, 'rows');
    setView({ ...changes, filter: addClauses(changes.filter ?? '', [dnsConnections]) });
  };
  const names = (previous: ViewSearch): ViewSearch => ({
    ...searchFor('/summary')(previous),
    list: 'groups',
  });
  return (
    <>
      <div className={classes.bar}>
        <LayerTabs />
      </div>
      <Empty
        icon={IconWorldSearch}
        title="DNS lookups are not kept one by one"
        action={
          <span className={classes.emptyActions}>
            <Button component={Link} to="/summary" search={names as never} variant="default">
              Names and their answers
            </Button>
            <Button variant="default" onClick={showConnections}>
              Flows to DNS servers
            </Button>
          </span>
        }
      >
        They are counted by name, type and answer code in windows of 10 seconds: see the summary.
      </Empty>
    </>
  );
}
