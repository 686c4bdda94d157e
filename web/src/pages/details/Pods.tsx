// The Pods of a workload, behind a Service or on a node; each leads to its own details.
import { TextInput } from '@mantine/core';
import { useState } from 'react';
import type { EntityDetails, PodOf } from '../../api/types';
import { encodeDetails } from '../../domain/details';
import { entityOfRef } from '../../domain/entity';
import { plural } from '../../domain/units';
import { EntityLabel } from '../../parts/EntityLabel';
import { useView } from '../../state/view';
import details from './details.module.css';
import classes from './overview.module.css';

/** From this many Pods on there is a box to search in them. */
const searchFrom = 12;

export function Pods({ details: { pods, pods_left: left } }: { details: EntityDetails }) {
  const [search, setSearch] = useState('');
  if (pods.length === 0) return null;
  const wanted = search.trim().toLowerCase();
  const holds = (pod: PodOf) =>
    [pod.name, pod.node ?? '', ...pod.addresses].some((text) => text.includes(wanted));
  const found = pods.filter(holds);
  const note = left > 0 ? `${pods.length} of ${pods.length + left}` : plural(pods.length, 'Pod');
  return (
    <section className={details.section} aria-label="Pods">
      <div className={details.headingRow}>
        <h3 className={details.heading}>
          Pods<span className={details.headingNote}>{note}</span>
        </h3>
        {pods.length >= searchFrom && (
          <TextInput
            size="xs"
            placeholder="Name, node or address"
            aria-label="Find a Pod"
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
          />
        )}
      </div>
      <ul className={classes.pods}>
        {found.map((pod) => (
          <li key={pod.id}>
            <PodButton pod={pod} />
          </li>
        ))}
        {found.length === 0 && <li className={classes.nothing}>No Pod of that name</li>}
      </ul>
    </section>
  );
}

function PodButton({ pod }: { pod: PodOf }) {
  const { setView } = useView();
  const entity = entityOfRef({ kind: 'pod', id: pod.id });
  return (
    <button
      type="button"
      className={classes.pod}
      data-gone={!pod.is_living || undefined}
      onClick={() => setView({ details: encodeDetails({ kind: 'entity', entity }) })}
    >
      <EntityLabel entity={entity} link={false} qualified={false} />
      <span className={classes.of}>{pod.is_living ? (pod.node ?? 'no node yet') : 'gone'}</span>
      <span className={classes.address}>{pod.addresses[0] ?? ''}</span>
    </button>
  );
}
