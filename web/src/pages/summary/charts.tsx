// Whether the charts stand above the list: a choice kept in this browser.
import { ActionIcon, Tooltip } from '@mantine/core';
import { IconChartHistogram } from '@tabler/icons-react';
import { useState } from 'react';
import { readSetting, writeSetting } from '../../base/storage';

const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';

export function useChartsShown(): [boolean, () => void] {
  const [shown, setShown] = useState(() => readSetting('charts', isFlag) ?? true);
  const toggle = () => {
    writeSetting('charts', !shown);
    setShown(!shown);
  };
  return [shown, toggle];
}

export function ChartsToggle({ shown, onToggle }: { shown: boolean; onToggle: () => void }) {
  const label = shown ? 'Hide the charts' : 'Show the charts';
  return (
    <Tooltip label={label}>
      <ActionIcon size={30} aria-label={label} aria-pressed={shown} onClick={onToggle}>
        <IconChartHistogram size={17} stroke={1.6} />
      </ActionIcon>
    </Tooltip>
  );
}
