// The map's data: the whole, what the filter matches of it, and what is new since last time.
import { useEffect, useMemo, useRef, useState } from 'react';
import type { MapAnswer } from '../../api/types';
import type { Emphasis } from '../../graph/emphasis';
import { everything } from '../../graph/emphasis';
import { buildModel, edgeKey, emptyModel, type MapModel } from '../../graph/model';
import { useMap } from '../../state/queries';
import { mapMetrics, type MapControls } from './mapView';

export interface MapData {
  model: MapModel;
  /** What the filter takes; everything without a filter. */
  matched: Emphasis;
  answer: MapAnswer | undefined;
  error: Error | null;
  isFirstLoad: boolean;
  /** The answer shown belongs to another question than the one that is asked now. */
  isStale: boolean;
  /** Tells questions apart: equal for two answers of the same question. */
  question: string;
  retry: () => void;
}

/**
 * With a filter that fades rather than hides, two questions are asked: the whole gives what is
 * drawn, the filtered one says what stands out and with which numbers. The browser never filters.
 */
export function useMapData({ scope, settings, view }: MapControls): MapData {
  const { fill, focus, depth, group } = settings;
  const { limit } = view;
  const options = useMemo(
    () => ({
      metrics: mapMetrics(scope.layer, fill),
      group,
      ...(focus === null ? {} : { focus, depth }),
      ...(limit === undefined ? {} : { limit }),
    }),
    [scope.layer, fill, focus, depth, limit, group],
  );
  const isFaded = scope.filter !== '' && !settings.isRestHidden;
  const wholeScope = useMemo(() => (isFaded ? { ...scope, filter: '' } : scope), [scope, isFaded]);
  const polling = { every: view.every };
  const whole = useMap(wholeScope, options, polling);
  const filtered = useMap(scope, options, polling);
  const part = isFaded ? filtered : whole;

  const merged = useMemo(
    () => mergeAnswers(whole.data, isFaded ? filtered.data : undefined),
    [whole.data, filtered.data, isFaded],
  );
  const model = useMemo(
    () => (merged ? buildModel(merged, scope.layer, group !== 'auto') : emptyModel),
    [merged, scope.layer, group],
  );
  const matched = useMemo(
    () => (isFaded && filtered.data ? namesOf(filtered.data) : everything),
    [filtered.data, isFaded],
  );
  const { from, to, level, layer, perspective } = scope;
  return {
    model,
    matched,
    answer: part.data ?? whole.data,
    error: whole.error ?? part.error,
    isFirstLoad: whole.isPending,
    isStale: whole.isPlaceholderData || part.isPlaceholderData,
    question: [from, to, level, layer, perspective, focus, depth, group, wholeScope.filter].join(
      '\n',
    ),
    retry: () => {
      void whole.refetch();
      if (isFaded) void filtered.refetch();
    },
  };
}

function namesOf(answer: MapAnswer): Emphasis {
  return {
    nodes: new Set(answer.nodes.map((node) => node.key)),
    edges: new Set(answer.edges.map((edge) => edgeKey(edge.client, edge.server))),
  };
}

/** The whole, with the filtered answer's numbers where it has any. */
function mergeAnswers(
  whole: MapAnswer | undefined,
  part: MapAnswer | undefined,
): MapAnswer | undefined {
  if (!whole || !part) return whole;
  const nodes = new Map(part.nodes.map((node) => [node.key, node]));
  const edges = new Map(part.edges.map((edge) => [edgeKey(edge.client, edge.server), edge]));
  return {
    ...whole,
    nodes: whole.nodes.map((node) => nodes.get(node.key) ?? node),
    edges: whole.edges.map((edge) => edges.get(edgeKey(edge.client, edge.server)) ?? edge),
  };
}

export interface Changes {
  added: ReadonlySet<string>;
  gone: number;
}

const noChanges: Changes = { added: new Set(), gone: 0 };

/** Nodes that the last refresh of the same question brought and took. */
export function useChanges(model: MapModel, question: string, isStale: boolean): Changes {
  const before = useRef<{ question: string; keys: ReadonlySet<string> } | null>(null);
  const [changes, setChanges] = useState(noChanges);
  useEffect(() => {
    if (isStale) return;
    const keys = new Set(model.nodes.map((node) => node.key));
    const known = before.current?.question === question ? before.current.keys : null;
    before.current = { question, keys };
    if (!known || known.size === 0) {
      setChanges(noChanges);
      return;
    }
    const added = new Set([...keys].filter((key) => !known.has(key)));
    const gone = [...known].filter((key) => !keys.has(key)).length;
    setChanges({ added, gone });
  }, [model, question, isStale]);
  return changes;
}
