// The log of a Pod as it is written: which Pod and container, how much of it, and what to look for.
import { Button, Select, Skeleton, Switch, TextInput } from '@mantine/core';
import { IconFileOff, IconSearch } from '@tabler/icons-react';
import { useState } from 'react';
import type { EntityDetails } from '../../api/types';
import { entityKey, type Entity } from '../../domain/entity';
import { findLines, logLinesMax } from '../../domain/logText';
import { plural } from '../../domain/units';
import { Empty, Failure } from '../../parts/States';
import { useLog } from '../../state/log';
import { useEntity } from '../../state/queries';
import { LogLines } from './LogLines';
import classes from './overview.module.css';

const lineChoices = ['100', '500', '1000', String(logLinesMax)];

export function Logs({ entity }: { entity: Entity }) {
  const known = useEntity(entityKey(entity), true);
  const { data: details } = known;
  const [chosen, setChosen] = useState<string | null>(null);
  if (known.error && !details) {
    return <Failure error={known.error} what="Logs" onRetry={() => void known.refetch()} />;
  }
  if (!details) return <Skeleton height={220} radius="md" aria-label="Loading" />;
  if (entity.kind === 'pod') return <PodLog key={entity.id} pod={entity.id} details={details} />;
  const pods = details.pods;
  const [first] = pods;
  if (!first) {
    return (
      <Empty icon={IconFileOff} title="No Pod whose log could be read">
        Logs are those of Pods in a watched cluster; none of its Pods is known there.
      </Empty>
    );
  }
  const pod = chosen ?? first.id;
  return (
    <>
      <Select
        className={classes.podChoice}
        size="xs"
        label="Pod"
        searchable
        allowDeselect={false}
        value={pod}
        data={pods.map(({ id, name }) => ({ value: id, label: name }))}
        onChange={setChosen}
      />
      <ChosenPod key={pod} pod={pod} />
    </>
  );
}

function ChosenPod({ pod }: { pod: string }) {
  const { data: details } = useEntity(`pod:${pod}`, true);
  if (!details) return <Skeleton height={220} radius="md" aria-label="Loading" />;
  return <PodLog pod={pod} details={details} />;
}

function PodLog({ pod, details }: { pod: string; details: EntityDetails }) {
  const { containers } = details;
  const [container, setContainer] = useState(containers[0]);
  const [lines, setLines] = useState('500');
  const [isFollowed, setFollowed] = useState(true);
  const [search, setSearch] = useState('');
  const options = { entity: `pod:${pod}`, container, lines: Number(lines), isFollowed };
  return (
    <div className={classes.logPage}>
      <div className={classes.logBar} role="toolbar" aria-label="Log">
        {containers.length > 1 && (
          <Select
            size="xs"
            w={140}
            aria-label="Container"
            allowDeselect={false}
            value={container ?? null}
            data={containers}
            onChange={(value) => setContainer(value ?? undefined)}
          />
        )}
        <Select
          size="xs"
          w={118}
          aria-label="Lines before now"
          allowDeselect={false}
          value={lines}
          data={lineChoices.map((value) => ({ value, label: `Last ${Number(value)} lines` }))}
          onChange={(value) => value && setLines(value)}
        />
        <Switch
          size="xs"
          label="Follow"
          checked={isFollowed}
          onChange={(event) => setFollowed(event.currentTarget.checked)}
        />
        <TextInput
          size="xs"
          className={classes.logSearch}
          leftSection={<IconSearch size={13} />}
          placeholder="Find in these lines"
          aria-label="Find in these lines"
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
      </div>
      <OpenLog options={options} search={search} />
    </div>
  );
}

interface OpenLogProps {
  options: Parameters<typeof useLog>[0];
  search: string;
}

function OpenLog({ options, search }: OpenLogProps) {
  const { log, state, error, again } = useLog(options);
  if (error && log.lines.length === 0) {
    return <Failure error={error} what="The log" onRetry={again} />;
  }
  if (state === 'opening') return <Skeleton height={220} radius="md" aria-label="Loading" />;
  const found = findLines(log.lines, search);
  return (
    <>
      <p className={classes.logNote} role="status">
        {found === null
          ? plural(log.lines.length, 'line')
          : `${found.length} of ${plural(log.lines.length, 'line')}`}
        {log.gone > 0 &&
          ` · ${plural(log.gone, 'older one')} let go, the last ${logLinesMax} are kept`}
        {' · '}
        {standing(state, options.isFollowed)}
        {error && `: ${error.message}`}
        {(state === 'failed' || (state === 'ended' && options.isFollowed)) && (
          <Button variant="subtle" size="compact-xs" onClick={again}>
            Read again
          </Button>
        )}
      </p>
      {log.lines.length === 0 ? (
        <p className={classes.unknown}>It has written nothing so far.</p>
      ) : (
        <LogLines log={log} found={found} search={search.trim()} />
      )}
    </>
  );
}

function standing(state: ReturnType<typeof useLog>['state'], isFollowed: boolean): string {
  if (state === 'failed') return 'broke off';
  if (state === 'ended') return isFollowed ? 'ended' : 'as of now';
  return 'new lines come as they are written';
}
