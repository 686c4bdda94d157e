// The line above the rows: how many are loaded, whether new ones come, what can be done.
import { Button } from '@mantine/core';
import { IconPlayerPauseFilled, IconPlayerPlayFilled } from '@tabler/icons-react';
import { fetchFlows } from '../../api/questions';
import type { FlowRow } from '../../api/types';
import type { FlowFields } from '../../domain/flow';
import { layerSchemas } from '../../domain/layer';
import { formatDuration, plural } from '../../domain/units';
import { ColumnSettings } from '../../parts/ColumnSettings';
import { ExportMenu, type ExportTable } from '../../parts/ExportMenu';
import { IncompleteMark } from '../../parts/IncompleteMark';
import { RailToggle } from '../../parts/ListLayout';
import { LayerTabs } from './LayerTabs';
import { SampleMark } from './SampleMark';
import type { ColumnControls } from '../../state/columnChoice';
import type { useFlows } from '../../state/queries';
import { useView } from '../../state/view';
import classes from './flows.module.css';

/** Rows in one exported file, and how many are asked for at a time. */
const exportRowsMax = 10_000;
const exportPageRows = 1_000;

interface FlowsBarProps {
  flows: ReturnType<typeof useFlows>;
  rows: readonly FlowRow[];
  columns: ColumnControls;
  /** Automatic refresh waits because someone reads. */
  held: boolean;
  onResume: () => void;
}

export function FlowsBar({ flows, rows, columns, held, onResume }: FlowsBarProps) {
  const { scope } = useView();
  const load = async (): Promise<ExportTable> => {
    const all: FlowRow[] = [];
    let cursor: string | undefined;
    do {
      const answer = await fetchFlows(scope, { limit: exportPageRows, cursor });
      all.push(...answer.rows);
      cursor = answer.next_cursor ?? undefined;
    } while (cursor !== undefined && all.length < exportRowsMax);
    const header = layerSchemas[scope.layer].rowColumns.map((column) => column.name);
    return {
      header,
      rows: all.map((row: FlowFields) => header.map((name) => row[name])),
      json: all,
    };
  };
  return (
    <div className={classes.bar}>
      <RailToggle />
      <LayerTabs />
      <div className={classes.count} aria-live="polite">
        {flows.data && (
          <strong>
            {plural(rows.length, scope.layer === 'l7' ? 'request' : 'flow row')}
            {flows.hasNextPage ? ' loaded' : ''}
          </strong>
        )}
        <span className={classes.muted}>newest first</span>
        <SampleMark rows={rows} />
        <IncompleteMark incomplete={flows.data?.pages[0]?.incomplete} />
      </div>
      <div className={classes.spacer} />
      <LiveButton held={held} onResume={onResume} />
      <ColumnSettings columns={columns} />
      <ExportMenu
        what={scope.layer === 'l7' ? 'requests' : 'flows'}
        note={`The newest ${exportRowsMax.toLocaleString('en-US')} rows, every column`}
        load={load}
      />
    </div>
  );
}

function LiveButton({ held, onResume }: { held: boolean; onResume: () => void }) {
  const { view, setView } = useView();
  const every = view.every ?? 0;
  if (every === 0) {
    return (
      <Button
        variant="default"
        leftSection={<IconPlayerPlayFilled size={12} />}
        onClick={() => setView({ every: undefined })}
      >
        Resume updates
      </Button>
    );
  }
  if (held) {
    return (
      <Button variant="light" leftSection={<IconPlayerPlayFilled size={12} />} onClick={onResume}>
        Paused while you read
      </Button>
    );
  }
  return (
    <Button
      variant="default"
      leftSection={<IconPlayerPauseFilled size={12} />}
      onClick={() => setView({ every: 0 })}
    >
      Updates every {formatDuration(every * 1000)}
    </Button>
  );
}
