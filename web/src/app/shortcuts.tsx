// The shell's keyboard shortcuts and the window that lists them.
import { Kbd, Modal } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useNavigate } from '@tanstack/react-router';
import { focusTargets, useShortcuts } from '../base/keyboard';
import { searchFor } from '../domain/search';
import { useRefresh } from '../state/queries';
import { useView, type PagePath } from '../state/view';
import classes from './shortcuts.module.css';

const listed: readonly { keys: string; does: string }[] = [
  { keys: '/', does: 'Search and filter' },
  { keys: 't', does: 'Change the time range' },
  { keys: 'r', does: 'Refresh' },
  { keys: 'g s', does: 'Go to the summary' },
  { keys: 'g m', does: 'Go to the service map' },
  { keys: 'g f', does: 'Go to the flows' },
  { keys: 'g a', does: 'Go to agents and status' },
  { keys: '↑ ↓', does: 'Move in a table' },
  { keys: 'Enter', does: 'Open the row' },
  { keys: 'Esc', does: 'Close what is open' },
  { keys: '?', does: 'This list' },
];

export function useShellShortcuts() {
  const navigate = useNavigate();
  const refresh = useRefresh();
  const { view, setView } = useView();
  const [opened, { open, close }] = useDisclosure(false);
  const go = (to: PagePath) => () => void navigate({ to, search: searchFor(to) });
  const focus = (id: string) => () => document.getElementById(id)?.focus();
  const press = (id: string) => () => document.getElementById(id)?.click();

  useShortcuts({
    '/': focus(focusTargets.search),
    t: press(focusTargets.time),
    r: refresh,
    'g s': go('/summary'),
    'g m': go('/map'),
    'g f': go('/flows'),
    'g a': go('/status'),
    '?': open,
    Escape: () => {
      if (!opened && view.details) setView({ details: undefined, tab: undefined });
    },
  });
  return { opened, open, close };
}

export function ShortcutHelp({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Keyboard shortcuts" size="sm" centered>
      <dl className={classes.list}>
        {listed.map(({ keys, does }) => (
          <div key={keys} className={classes.row}>
            <dt>{does}</dt>
            <dd>
              {keys.split(' ').map((key) => (
                <Kbd key={key} size="xs">
                  {key}
                </Kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
