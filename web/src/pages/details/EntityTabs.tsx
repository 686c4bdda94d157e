// The tabs of an entity's details, in the address bar.
import { Tabs } from '@mantine/core';
import { tabLabels, type DetailsTab } from '../../domain/details';
import { useView } from '../../state/view';
import classes from './details.module.css';

interface EntityTabsProps {
  tabs: readonly DetailsTab[];
  value: DetailsTab;
}

export function EntityTabs({ tabs, value }: EntityTabsProps) {
  const { setView } = useView();
  const change = (tab: string | null) =>
    setView({ tab: tabs.find((known) => known !== 'network' && known === tab) }, { replace: true });
  return (
    <Tabs value={value} onChange={change} className={classes.tabs}>
      <Tabs.List aria-label="What is told">
        {tabs.map((tab) => (
          <Tabs.Tab key={tab} value={tab}>
            {tabLabels[tab]}
          </Tabs.Tab>
        ))}
      </Tabs.List>
    </Tabs>
  );
}
