// The frame around every page: navigation, search, level, perspective and time.
import { Outlet } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { useStatus } from '../state/queries';
import { useView } from '../state/view';
import { TableSkeleton } from '../parts/States';
import { Header } from './Header';
import { Toolbar } from './Toolbar';
import { SignIn } from './SignIn';
import { ShortcutHelp, useShellShortcuts } from './shortcuts';
import { Problem } from '../api/client';
import classes from './Shell.module.css';

const DetailsDrawer = lazy(() => import('../pages/details'));

export function Shell() {
  const { path, view } = useView();
  const status = useStatus();
  const help = useShellShortcuts();
  const asksQuestions = path !== '/status';

  if (status.error instanceof Problem && status.error.status === 401) return <SignIn />;

  return (
    <div className={classes.shell}>
      <Header asksQuestions={asksQuestions} onHelp={help.open} />
      {asksQuestions && <Toolbar />}
      <main className={classes.main} id="main">
        {status.isPending && asksQuestions ? <TableSkeleton /> : <Outlet />}
        {view.details && (
          <Suspense fallback={null}>
            <DetailsDrawer />
          </Suspense>
        )}
      </main>
      <ShortcutHelp opened={help.opened} onClose={help.close} />
    </div>
  );
}
