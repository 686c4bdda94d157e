// Right of the map: the same nodes and paths as a list, which is also how the map is used
// without seeing or pointing: search by name, arrow keys, Enter for the menu.
import { SegmentedControl, Select, TextInput } from '@mantine/core';
import { IconArrowNarrowRight, IconDots, IconSearch } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { formatMetric, formatMetricExact, metric } from '../../domain/metrics';
import type { Emphasis, Pointed } from '../../graph/emphasis';
import { stepOf, type Bounds } from '../../graph/intervals';
import type { MapModel } from '../../graph/model';
import { EntityLabel } from '../../parts/EntityLabel';
import { listRows, type ListKind, type ListRow, type ListSort } from './listing';
import { StepMark } from './StepMark';
import classes from './NodeList.module.css';

export interface NodeListProps {
  model: MapModel;
  matched: Emphasis;
  fill: string;
  bounds: Bounds | null;
  query: string;
  chosen: Pointed;
  onQuery: (query: string) => void;
  onChoose: (chosen: Pointed) => void;
  onPoint: (pointed: Pointed) => void;
  onMenu: (on: Pointed) => void;
}

const rowHeight = { nodes: 34, paths: 50 } as const;

export function NodeList(props: NodeListProps) {
  const { model, matched, fill, query, chosen } = props;
  const [kind, setKind] = useState<ListKind>('nodes');
  const [sort, setSort] = useState<ListSort>('traffic');
  const rows = useMemo(
    () => listRows(model, matched, { kind, sort, query, fill }),
    [model, matched, kind, sort, query, fill],
  );
  useEffect(() => {
    if (chosen) setKind(chosen.kind === 'node' ? 'nodes' : 'paths');
  }, [chosen]);
  return (
    <section className={classes.list} aria-label="Nodes and paths">
      <div className={classes.head}>
        <SearchBox {...props} rows={rows} />
        <div className={classes.controls}>
          <SegmentedControl
            size="xs"
            aria-label="List"
            value={kind}
            onChange={(value) => setKind(value as ListKind)}
            data={[
              { value: 'nodes', label: `Nodes ${model.nodes.length}` },
              { value: 'paths', label: `Paths ${model.edges.length}` },
            ]}
          />
          <Select
            size="xs"
            aria-label="Sort by"
            allowDeselect={false}
            value={sort}
            onChange={(value) => setSort((value ?? 'traffic') as ListSort)}
            data={[
              { value: 'traffic', label: volumeLabel(model) },
              { value: 'value', label: `${metric(fill).label}` },
              { value: 'name', label: 'Name' },
            ]}
          />
        </div>
      </div>
      <Rows {...props} rows={rows} kind={kind} />
    </section>
  );
}

function volumeLabel({ volume }: MapModel): string {
  return volume.isTwoWay ? 'Traffic' : metric(volume.metric).label;
}

function SearchBox({ query, rows, onQuery, onChoose }: NodeListProps & { rows: ListRow[] }) {
  const onKeyDown = (event: KeyboardEvent) => {
    const first = rows[0];
    if (event.key === 'Enter' && first) onChoose(pointedOf(first));
    if (event.key === 'Escape' && query !== '') {
      event.stopPropagation();
      onQuery('');
    }
    if (event.key !== 'ArrowDown') return;
    event.preventDefault();
    document.getElementById('map-list')?.focus();
    if (first) onChoose(pointedOf(first));
  };
  return (
    <TextInput
      id="map-search"
      aria-label="Find a node by name"
      placeholder="Find by name"
      leftSection={<IconSearch size={14} />}
      value={query}
      onChange={(event) => onQuery(event.currentTarget.value)}
      onKeyDown={onKeyDown}
    />
  );
}

function pointedOf(row: ListRow): Exclude<Pointed, null> {
  return { kind: row.kind === 'node' ? 'node' : 'edge', key: row.key };
}

function Rows(props: NodeListProps & { rows: ListRow[]; kind: ListKind }) {
  const { rows, kind, chosen, onChoose, onMenu, onPoint } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const idPrefix = useId();
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight[kind],
    overscan: 8,
  });
  useEffect(() => virtual.measure(), [kind, virtual]);
  const active = chosen ? rows.findIndex((row) => row.key === chosen.key) : -1;
  useEffect(() => {
    if (active >= 0) virtual.scrollToIndex(active, { align: 'auto' });
  }, [active, virtual]);

  const onKeyDown = (event: KeyboardEvent) => {
    const jump = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    const end = { Home: 0, End: rows.length - 1 }[event.key];
    const to =
      end ?? (jump === undefined ? -1 : Math.max(0, Math.min(rows.length - 1, active + jump)));
    const row = rows[to];
    if (row) {
      event.preventDefault();
      onChoose(pointedOf(row));
    } else if (event.key === 'Enter' && chosen) {
      event.preventDefault();
      onMenu(chosen);
    }
  };

  if (rows.length === 0) {
    const isSearch = props.query.trim() !== '';
    return (
      <p className={classes.none}>{isSearch ? 'Nothing has such a name.' : 'Nothing here yet.'}</p>
    );
  }
  return (
    <div
      id="map-list"
      ref={scroller}
      className={classes.rows}
      role="listbox"
      tabIndex={0}
      aria-label={kind === 'nodes' ? 'Nodes' : 'Paths'}
      aria-activedescendant={active >= 0 ? `${idPrefix}-${active}` : undefined}
      onKeyDown={onKeyDown}
      onMouseLeave={() => onPoint(null)}
    >
      <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (!row) return null;
          return (
            <div
              key={row.key}
              id={`${idPrefix}-${item.index}`}
              className={classes.row}
              role="option"
              aria-selected={item.index === active}
              aria-setsize={rows.length}
              aria-posinset={item.index + 1}
              data-key={row.kind === 'node' ? row.key : undefined}
              data-faded={row.isMatched ? undefined : true}
              style={{ height: item.size, transform: `translateY(${item.start}px)` }}
              onClick={() => onChoose(pointedOf(row))}
              onMouseEnter={() => onPoint(pointedOf(row))}
            >
              <RowContent row={row} {...props} />
            </div>
          );
        })}
      </div>
    </div>
  );
}

function RowContent({ row, model, fill, bounds, onMenu }: NodeListProps & { row: ListRow }) {
  const metrics = row.kind === 'node' ? row.node.metrics : row.edge.metrics;
  const value = metrics[fill];
  const exact = `${metric(fill).label}: ${formatMetricExact(fill, value)}`;
  const traffic = row.kind === 'node' ? row.node.traffic : row.edge.sent + row.edge.received;
  return (
    <>
      <StepMark step={stepOf(value, bounds)} size={14} />
      {row.kind === 'node' ? (
        <span className={classes.names}>
          <EntityLabel entity={row.node.entity} provider={row.node.provider} link={false} />
        </span>
      ) : (
        <span className={classes.ends}>
          <EntityLabel entity={row.client.entity} provider={row.client.provider} link={false} />
          <span className={classes.to}>
            <IconArrowNarrowRight size={13} aria-label="calls" />
            <EntityLabel entity={row.server.entity} provider={row.server.provider} link={false} />
          </span>
        </span>
      )}
      <span
        className={classes.value}
        title={`${exact}\n${volumeLabel(model)}: ${formatMetric(model.volume.metric, traffic)}`}
      >
        {formatMetric(fill, value)}
      </span>
      <button
        type="button"
        tabIndex={-1}
        className={classes.more}
        aria-label="Actions"
        onClick={(event) => {
          event.stopPropagation();
          onMenu(pointedOf(row));
        }}
      >
        <IconDots size={14} />
      </button>
    </>
  );
}
