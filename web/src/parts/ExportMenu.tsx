// Takes what a list shows away as a file.
import { ActionIcon, Menu } from '@mantine/core';
import { IconAlertTriangle, IconDownload, IconFileTypeCsv, IconJson } from '@tabler/icons-react';
import { useState } from 'react';
import { downloadText } from '../base/download';
import { exportName, toCsv, type Cell } from '../domain/table';

export interface ExportTable {
  header: string[];
  rows: Cell[][];
  /** The same as the API gave it. */
  json: unknown;
}

export interface ExportMenuProps {
  what: string;
  /** Said in the menu: what will be in the file. */
  note: string;
  load: () => Promise<ExportTable>;
}

export function ExportMenu({ what, note, load }: ExportMenuProps) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const take = async (extension: 'csv' | 'json') => {
    setBusy(true);
    setFailure(null);
    try {
      const table = await load();
      const name = exportName(what, Date.now(), extension);
      if (extension === 'csv') downloadText(name, 'text/csv', toCsv(table.header, table.rows));
      else downloadText(name, 'application/json', JSON.stringify(table.json, null, 2));
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  const label = failure === null ? 'Export' : `The export failed: ${failure}`;
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="default" size={30} aria-label={label} title={label} loading={busy}>
          {failure === null ? (
            <IconDownload size={15} stroke={1.7} />
          ) : (
            <IconAlertTriangle size={15} color="var(--w-error)" />
          )}
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{note}</Menu.Label>
        <Menu.Item leftSection={<IconFileTypeCsv size={15} />} onClick={() => void take('csv')}>
          CSV
        </Menu.Item>
        <Menu.Item leftSection={<IconJson size={15} />} onClick={() => void take('json')}>
          JSON
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
