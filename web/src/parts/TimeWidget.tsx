// The time range: presets, typed lengths, absolute ends, steps back and forward, refresh.
import {
  ActionIcon,
  Button,
  Menu,
  Popover,
  TextInput,
  Tooltip,
  UnstyledButton,
} from '@mantine/core';
import {
  IconCheck,
  IconChevronDown,
  IconChevronLeft,
  IconChevronRight,
  IconClock,
  IconRefresh,
} from '@tabler/icons-react';
import { useIsFetching, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { focusTargets } from '../base/keyboard';
import { refreshChoices } from '../domain/search';
import {
  absoluteRange,
  formatMomentExact,
  parseTyped,
  rangeLabel,
  resolveRange,
  shiftRange,
  timePresets,
  type TimeRange,
} from '../domain/time';
import { formatDuration } from '../domain/units';
import { useRefresh } from '../state/queries';
import { useView } from '../state/view';
import classes from './TimeWidget.module.css';

export function TimeWidget() {
  const { range, setView } = useView();
  const [opened, setOpened] = useState(false);
  const now = Date.now();
  const { fromMs, toMs } = resolveRange(range, now);
  const choose = (next: TimeRange) => {
    setOpened(false);
    setView({ from: next.from, to: next.to === 'now' ? undefined : next.to });
  };
  return (
    <div className={classes.widget}>
      <Tooltip label="Earlier">
        <ActionIcon aria-label="Earlier" onClick={() => choose(shiftRange(range, -1, Date.now()))}>
          <IconChevronLeft size={16} />
        </ActionIcon>
      </Tooltip>
      <Popover opened={opened} onChange={setOpened} position="bottom-end" trapFocus returnFocus>
        <Popover.Target>
          <Tooltip
            label={`${formatMomentExact(fromMs)}  to  ${formatMomentExact(toMs)}`}
            disabled={opened}
          >
            <Button
              id={focusTargets.time}
              variant="default"
              leftSection={<IconClock size={14} stroke={1.7} />}
              rightSection={<IconChevronDown size={13} />}
              aria-expanded={opened}
              onClick={() => setOpened((open) => !open)}
            >
              {rangeLabel(range, now)}
            </Button>
          </Tooltip>
        </Popover.Target>
        <Popover.Dropdown p={0}>
          <TimePanel range={range} onChoose={choose} />
        </Popover.Dropdown>
      </Popover>
      <Tooltip label="Later">
        <ActionIcon
          aria-label="Later"
          disabled={range.to === 'now'}
          onClick={() => choose(shiftRange(range, 1, Date.now()))}
        >
          <IconChevronRight size={16} />
        </ActionIcon>
      </Tooltip>
      <RefreshControl />
    </div>
  );
}

interface TimePanelProps {
  range: TimeRange;
  onChoose: (range: TimeRange) => void;
}

function TimePanel({ range, onChoose }: TimePanelProps) {
  const [typed, setTyped] = useState('');
  const [refused, setRefused] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const parsed = parseTyped(typed, Date.now());
    if (parsed) onChoose(parsed);
    else setRefused(true);
  };
  return (
    <div className={classes.panel}>
      <div className={classes.presets} role="listbox" aria-label="Time ranges">
        {timePresets.map((preset) => {
          const selected = preset.range.from === range.from && range.to === 'now';
          return (
            <UnstyledButton
              key={preset.label}
              role="option"
              aria-selected={selected}
              className={classes.preset}
              onClick={() => onChoose(preset.range)}
            >
              {preset.label}
              {selected && <IconCheck size={14} aria-hidden />}
            </UnstyledButton>
          );
        })}
      </div>
      <div className={classes.custom}>
        <form onSubmit={submit}>
          <TextInput
            data-autofocus
            label="Type a range"
            placeholder="20m, 2d, 10:00 - 10:30"
            value={typed}
            error={refused ? 'Try 20m, 2d, 10:00 - 10:30 or 2026-11-21 09:00 to now' : undefined}
            onChange={(event) => {
              setTyped(event.currentTarget.value);
              setRefused(false);
            }}
          />
        </form>
        <AbsoluteForm range={range} onChoose={onChoose} />
      </div>
    </div>
  );
}

/** What an `<input type="datetime-local">` takes: the viewer's zone, without a zone. */
function localText(ms: number): string {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19);
}

function AbsoluteForm({ range, onChoose }: TimePanelProps) {
  const [ends, setEnds] = useState(() => {
    const { fromMs, toMs } = resolveRange(range, Date.now());
    return { from: localText(fromMs), to: localText(toMs) };
  });
  const from = Date.parse(ends.from);
  const to = Date.parse(ends.to);
  const valid = from < to;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (valid) onChoose(absoluteRange(from, to));
  };
  return (
    <form onSubmit={submit} className={classes.absolute}>
      <TextInput
        type="datetime-local"
        step={1}
        label="From"
        value={ends.from}
        onChange={(event) => setEnds({ ...ends, from: event.currentTarget.value })}
      />
      <TextInput
        type="datetime-local"
        step={1}
        label="To"
        value={ends.to}
        error={valid ? undefined : 'Must lie after "From"'}
        onChange={(event) => setEnds({ ...ends, to: event.currentTarget.value })}
      />
      <Button type="submit" disabled={!valid} fullWidth>
        Apply
      </Button>
    </form>
  );
}

function RefreshControl() {
  const { view, setView } = useView();
  const refresh = useRefresh();
  const client = useQueryClient();
  const asking = useIsFetching({ queryKey: ['weir'] }) > 0;
  const every = view.every ?? 0;
  return (
    <Button.Group>
      <Tooltip label={asking ? 'Stop waiting for the answer' : 'Refresh (r)'}>
        <Button
          variant="default"
          px={8}
          aria-label={asking ? 'Cancel' : 'Refresh'}
          onClick={() => (asking ? void client.cancelQueries({ queryKey: ['weir'] }) : refresh())}
        >
          <IconRefresh size={15} stroke={1.7} className={asking ? classes.turning : undefined} />
        </Button>
      </Tooltip>
      <Menu position="bottom-end">
        <Menu.Target>
          <Button
            variant="default"
            px={8}
            aria-label="Automatic refresh"
            rightSection={<IconChevronDown size={13} />}
          >
            {every === 0 ? 'Auto off' : formatDuration(every * 1000)}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>Refresh automatically</Menu.Label>
          {refreshChoices.map((seconds) => (
            <Menu.Item
              key={seconds}
              rightSection={seconds === every ? <IconCheck size={14} /> : null}
              onClick={() => setView({ every: seconds })}
            >
              {seconds === 0 ? 'Off' : `Every ${formatDuration(seconds * 1000)}`}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
    </Button.Group>
  );
}
