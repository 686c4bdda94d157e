// Top line: the mark, the pages, the search box, appearance and help.
import { ActionIcon, Tooltip, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import {
  IconActivity,
  IconKeyboard,
  IconMoon,
  IconShare3,
  IconSun,
  IconTable,
  IconTimeline,
  type Icon,
} from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { searchFor } from '../domain/search';
import { FilterBar } from '../parts/FilterBar';
import { Logo } from '../parts/Logo';
import type { PagePath } from '../state/view';
import classes from './Shell.module.css';

const pages: readonly { path: PagePath; name: string; icon: Icon }[] = [
  { path: '/summary', name: 'Summary', icon: IconTable },
  { path: '/map', name: 'Map', icon: IconShare3 },
  { path: '/flows', name: 'Flows', icon: IconTimeline },
  { path: '/status', name: 'Status', icon: IconActivity },
];

export function Header({ asksQuestions, onHelp }: { asksQuestions: boolean; onHelp: () => void }) {
  return (
    <header className={classes.header}>
      <Link
        to="/summary"
        search={searchFor('/summary')}
        className={classes.brand}
        aria-label="weir, to the summary"
      >
        <Logo />
        weir
      </Link>
      <nav className={classes.nav} aria-label="Pages">
        {pages.map(({ path, name, icon: Glyph }) => (
          <Link key={path} to={path} search={searchFor(path)} className={classes.navLink}>
            <Glyph size={15} stroke={1.7} aria-hidden />
            <span className={classes.navText}>{name}</span>
          </Link>
        ))}
      </nav>
      {asksQuestions ? (
        <div className={classes.search}>
          <FilterBar />
        </div>
      ) : (
        <div className={classes.spacer} />
      )}
      <div className={classes.tools}>
        <SchemeToggle />
        <Tooltip label="Keyboard shortcuts (?)">
          <ActionIcon onClick={onHelp} aria-label="Keyboard shortcuts">
            <IconKeyboard size={17} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
      </div>
    </header>
  );
}

function SchemeToggle() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  const next = scheme === 'dark' ? 'light' : 'dark';
  return (
    <Tooltip label={`Switch to ${next}`}>
      <ActionIcon onClick={() => setColorScheme(next)} aria-label={`Switch to ${next} appearance`}>
        {scheme === 'dark' ? (
          <IconSun size={17} stroke={1.6} />
        ) : (
          <IconMoon size={17} stroke={1.6} />
        )}
      </ActionIcon>
    </Tooltip>
  );
}
