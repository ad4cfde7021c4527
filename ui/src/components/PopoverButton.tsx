// A button with a small form under it; the form closes it when it is done.
import { Popover } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import type { ReactNode } from 'react';

export function PopoverButton({ label, icon, children, disabled = false }: {
  label: string;
  icon: ReactNode;
  children: (close: () => void) => ReactNode;
  disabled?: boolean;
}) {
  const [opened, popover] = useDisclosure(false);
  return (
    <Popover opened={opened} onChange={(open) => !open && popover.close()} position="bottom-end" shadow="sm" trapFocus returnFocus>
      <Popover.Target>
        <button className="btn" onClick={popover.toggle} aria-expanded={opened} disabled={disabled}>
          {icon} {label}
        </button>
      </Popover.Target>
      <Popover.Dropdown className="popover-form">
        {children(popover.close)}
      </Popover.Dropdown>
    </Popover>
  );
}
