// Links that lead out of Weir, to logs and traces that an operator keeps elsewhere.
import { Button } from '@mantine/core';
import { IconExternalLink } from '@tabler/icons-react';
import type { FilledLink } from '../domain/links';

export function OutsideLinks({ links }: { links: readonly FilledLink[] }) {
  return links.map(({ name, href }) => (
    <Button
      key={name}
      component="a"
      href={href}
      target="_blank"
      rel="noopener noreferrer"
      variant="default"
      size="compact-sm"
      title={href}
      rightSection={<IconExternalLink size={13} stroke={1.7} />}
    >
      {name}
    </Button>
  ));
}
