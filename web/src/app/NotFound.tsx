// An address that no page has.
import { Button } from '@mantine/core';
import { IconMapQuestion } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { Empty } from '../parts/States';

export function NotFound() {
  return (
    <Empty
      icon={IconMapQuestion}
      title="There is no page at this address"
      action={
        <Button component={Link} to="/summary" variant="default">
          Go to the summary
        </Button>
      }
    >
      The link may be from another version of Weir, or was cut short when it was copied.
    </Empty>
  );
}
