// Positions for the model that is shown: remembered ones at once, others from the worker.
import { useCallback, useEffect, useRef, useState } from 'react';
import { LayoutClient } from '../../graph/layout/client';
import { layOut, type LayoutRequest } from '../../graph/layout/layout';
import type { Known } from '../../graph/layout/stable';
import type { Point, Positions } from '../../graph/layout/types';
import type { MapModel } from '../../graph/model';
import { forgetPositions, readPositions, writePositions } from '../../graph/positions';

export interface LaidOut {
  model: MapModel;
  positions: Positions;
  /** Which memory of positions this belongs to. */
  place: string;
}

export interface Layout {
  laidOut: LaidOut | null;
  pin: (key: string, at: Point) => void;
  /** Lays everything out afresh; `undo` brings back what was. */
  tidy: () => void;
  undo: (() => void) | null;
}

type Memory = Record<string, Known>;

export function useLayout(model: MapModel, place: string, isReady: boolean): Layout {
  const client = useRef<LayoutClient | null>(null);
  const memory = useRef<{ place: string; known: Memory }>({ place: '', known: {} });
  const [laidOut, setLaidOut] = useState<LaidOut | null>(null);
  const [before, setBefore] = useState<{ place: string; known: Memory } | null>(null);
  const [round, setRound] = useState(0);

  useEffect(() => {
    const started = new LayoutClient();
    client.current = started;
    return () => started.stop();
  }, []);

  useEffect(() => {
    if (!isReady) return;
    if (memory.current.place !== place) memory.current = { place, known: readPositions(place) };
    const { known } = memory.current;
    const request = layoutRequest(model, known);
    const settle = (positions: Positions) => {
      if (remember(known, positions)) writePositions(place, known);
      setLaidOut({ model, positions: { ...positions, ...pinnedOf(known, positions) }, place });
    };
    if (model.nodes.every((node) => known[node.key])) settle(layOut(request));
    else client.current?.request(request, settle);
  }, [model, place, isReady, round]);

  const pin = useCallback((key: string, at: Point) => {
    const { known, place: current } = memory.current;
    known[key] = { ...at, pinned: true };
    writePositions(current, known);
    setLaidOut((old) => old && { ...old, positions: { ...old.positions, [key]: at } });
  }, []);

  const restart = useCallback((known: Memory) => {
    memory.current = { ...memory.current, known };
    setRound((count) => count + 1);
  }, []);

  const tidy = useCallback(() => {
    setBefore({ ...memory.current });
    forgetPositions(memory.current.place);
    restart({});
  }, [restart]);

  const undo = useCallback(() => {
    if (before) restart(before.known);
    if (before) writePositions(before.place, before.known);
    setBefore(null);
  }, [before, restart]);

  return { laidOut, pin, tidy, undo: before?.place === place ? undo : null };
}

function layoutRequest(model: MapModel, known: Memory): LayoutRequest {
  return {
    nodes: model.nodes.map(({ key, side, group, traffic }) => ({
      key,
      side,
      group,
      weight: traffic,
    })),
    edges: model.edges.map(({ client, server, sent, received }) => ({
      client,
      server,
      weight: sent + received,
    })),
    isGrouped: model.isGrouped,
    known,
  };
}

/** Where people put nodes: a layout that began before a drag must not take it back. */
function pinnedOf(known: Memory, positions: Positions): Positions {
  return Object.fromEntries(
    Object.keys(positions).flatMap((key) => {
      const place = known[key];
      return place?.pinned ? [[key, { x: place.x, y: place.y }]] : [];
    }),
  );
}

/** Takes over new positions of what nobody put somewhere; says whether any was new. */
function remember(known: Memory, positions: Positions): boolean {
  let isChanged = false;
  for (const [key, { x, y }] of Object.entries(positions)) {
    const old = known[key];
    if (old && (old.pinned || (old.x === x && old.y === y))) continue;
    known[key] = { x, y, pinned: false };
    isChanged = true;
  }
  return isChanged;
}
