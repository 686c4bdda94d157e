// The layout of a list page: quick filters at the left, the list beside them. On a narrow screen
// the filters open over the list.
import { ActionIcon, Drawer, Tooltip } from '@mantine/core';
import { useDisclosure, useMediaQuery } from '@mantine/hooks';
import {
  IconAdjustmentsHorizontal,
  IconLayoutSidebarLeftCollapse,
  IconLayoutSidebarLeftExpand,
} from '@tabler/icons-react';
import { createContext, useContext, useState, type ReactNode } from 'react';
import { readSetting, writeSetting } from '../base/storage';
import { QuickFilters } from './QuickFilters';
import classes from './ListLayout.module.css';

const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';

interface RailControl {
  isNarrow: boolean;
  open: boolean;
  toggle: () => void;
}

const RailContext = createContext<RailControl>({
  isNarrow: false,
  open: true,
  toggle: () => undefined,
});

export function ListLayout({ children }: { children: ReactNode }) {
  const isNarrow = useMediaQuery('(max-width: 900px)', false, { getInitialValueInEffect: false });
  const [wide, setWide] = useState(() => readSetting('rail', isFlag) ?? true);
  const [drawer, { toggle, close }] = useDisclosure(false);
  const control: RailControl = {
    isNarrow,
    open: isNarrow ? drawer : wide,
    toggle: () => {
      if (isNarrow) return toggle();
      writeSetting('rail', !wide);
      setWide(!wide);
    },
  };
  return (
    <RailContext value={control}>
      {!isNarrow && wide && (
        <aside className={classes.rail} aria-label="Quick filters">
          <QuickFilters />
        </aside>
      )}
      {isNarrow && (
        <Drawer opened={drawer} onClose={close} title="Filters" size={290}>
          <QuickFilters />
        </Drawer>
      )}
      <div className={classes.content}>{children}</div>
    </RailContext>
  );
}

export function RailToggle() {
  const { isNarrow, open, toggle } = useContext(RailContext);
  const label = open ? 'Hide the filters' : 'Show the filters';
  const Glyph = isNarrow
    ? IconAdjustmentsHorizontal
    : open
      ? IconLayoutSidebarLeftCollapse
      : IconLayoutSidebarLeftExpand;
  return (
    <Tooltip label={label}>
      <ActionIcon size={30} aria-label={label} aria-expanded={open} onClick={toggle}>
        <Glyph size={17} stroke={1.6} />
      </ActionIcon>
    </Tooltip>
  );
}
