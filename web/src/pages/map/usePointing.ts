// What is pointed at, chosen and opened on the map and in the list, and what follows from one to
// the other. A chosen node stands in the address bar; a chosen path lasts while the page is open.
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { Pointed } from '../../graph/emphasis';
import type { Point } from '../../graph/layout/types';
import type { MapActions } from './actions';
import type { MapSettings } from './mapView';

export interface Pointing {
  pointed: Pointed;
  /** Place of the pointer; null when pointing happens in the list. */
  at: Point | null;
  chosen: Pointed;
  menu: { on: Pointed; at: Point | null };
  /** Counts up when the list asks the map to bring the chosen node into view. */
  reveal: number;
  point: (pointed: Pointed, at: Point) => void;
  click: (pointed: Pointed, at: Point) => void;
  pointInList: (pointed: Pointed) => void;
  chooseInList: (chosen: Pointed) => void;
  openMenuFromList: (on: Pointed) => void;
  closeMenu: () => void;
  clear: () => void;
}

function nodeOf(key: string | null): Pointed {
  return key === null ? null : { kind: 'node', key };
}

const noMenu = { on: null, at: null };

export function usePointing(
  { selected, focus }: Pick<MapSettings, 'selected' | 'focus'>,
  actions: MapActions,
): Pointing {
  const [pointed, setPointed] = useState<Pointed>(null);
  const [at, setAt] = useState<Point | null>(null);
  const [chosen, setChosen] = useState<Pointed>(nodeOf(selected));
  const [menu, setMenu] = useState<Pointing['menu']>(noMenu);
  const [reveal, setReveal] = useState(0);
  const known = useRef(selected);
  useEffect(() => {
    if (selected === known.current) return;
    known.current = selected;
    setChosen(nodeOf(selected));
    setMenu(noMenu);
  }, [selected]);
  useEffect(() => setPointed(null), [focus]);

  // At once, and in the address a moment later: the next key may come before that.
  const choose = useCallback(
    (next: Pointed) => {
      const key = next?.kind === 'node' ? next.key : null;
      known.current = key;
      setChosen(next);
      actions.select(key);
    },
    [actions],
  );

  return useMemo(
    (): Pointing => ({
      pointed,
      at,
      chosen,
      menu,
      reveal,
      point: (next, place) => {
        setPointed(next);
        setAt({ x: place.x, y: place.y });
      },
      click: (next, place) => {
        choose(next);
        setMenu(next ? { on: next, at: { x: place.x, y: place.y } } : noMenu);
      },
      pointInList: (next) => {
        setPointed(next);
        setAt(null);
      },
      chooseInList: (next) => {
        choose(next);
        setReveal((count) => count + 1);
      },
      openMenuFromList: (on) => {
        choose(on);
        setReveal((count) => count + 1);
        setMenu({ on, at: null });
      },
      closeMenu: () => setMenu(noMenu),
      clear: () => choose(null),
    }),
    [pointed, at, chosen, menu, reveal, choose],
  );
}
