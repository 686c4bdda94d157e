// Network flow data: every flow of the time, or single requests, newest first, under a histogram of
// the same.
import { useCallback, useMemo, useState } from 'react';
import type { FlowRow } from '../../api/types';
import type { Layer } from '../../domain/layer';
import { flowColumns } from '../../domain/tableColumns';
import { ListLayout } from '../../parts/ListLayout';
import { useColumnChoice } from '../../state/columnChoice';
import { useFlows } from '../../state/queries';
import { useView } from '../../state/view';
import { FlowsBar } from './FlowsBar';
import { FlowsTable } from './FlowsTable';
import { Histogram } from './Histogram';
import { NoSingleQueries } from './NoSingleQueries';
import classes from './flows.module.css';

export default function FlowsPage() {
  const { layer } = useView().view;
  return (
    <ListLayout>
      {layer === 'dns' ? <NoSingleQueries /> : <Rows key={layer} layer={layer} />}
    </ListLayout>
  );
}

function Rows({ layer }: { layer: Layer }) {
  const { view, scope } = useView();
  const columns = useColumnChoice(layer === 'l4' ? 'flows' : `flows.${layer}`, flowColumns[layer]);
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const [atTop, setAtTop] = useState(true);
  // New rows would push away what someone reads: they wait until the reader is back at the top.
  const reading = !atTop || opened.size > 0;
  const every = reading ? 0 : (view.every ?? 0);
  const flows = useFlows(scope, { every });
  const rows = useMemo(
    () => flows.data?.pages.flatMap<FlowRow>((page) => page.rows) ?? [],
    [flows.data],
  );
  const toggle = useCallback((key: string) => {
    setOpened((before) => {
      const after = new Set(before);
      if (!after.delete(key)) after.add(key);
      return after;
    });
  }, []);
  return (
    <>
      <div className={classes.histogram}>
        <Histogram every={every} />
      </div>
      <FlowsBar
        flows={flows}
        rows={rows}
        columns={columns}
        held={reading && (view.every ?? 0) > 0}
        onResume={() => setOpened(new Set())}
      />
      <FlowsTable
        flows={flows}
        rows={rows}
        columns={columns}
        opened={opened}
        onToggle={toggle}
        onAtTop={setAtTop}
      />
    </>
  );
}
