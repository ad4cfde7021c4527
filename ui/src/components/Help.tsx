// `?`: the keys.
import { Modal } from '@mantine/core';
import { useDisclosure, useHotkeys } from '@mantine/hooks';
import { IconHelp } from '@tabler/icons-react';

const KEYS = [
  ['/', 'Search in this page'],
  ['j  k', 'Next, previous row'],
  ['Enter', 'Open the row'],
  ['x', 'Select the run of the row (list of runs)'],
  ['c', 'Compare what is selected'],
  ['h  l', 'Other document of a cluster'],
  ['0 to 5', 'Label a sample (label mode)'],
  ['u', 'Take the last label back'],
  ['\u2190  \u2192', 'Move a threshold; Shift: by ten'],
  ['Drag', 'Zoom all charts to the range'],
  ['Shift + drag', 'Move along a zoomed chart; so does scrolling sideways'],
  ['Double click', 'Back to the whole run'],
  ['?', 'These keys'],
] as const;

export function HelpButton() {
  const [opened, help] = useDisclosure(false);
  useHotkeys([['shift+?', help.open], ['?', help.open]]);
  return (
    <>
      <button className="btn ghost icon" aria-label="Keys" onClick={help.open}>
        <IconHelp size={16} stroke={1.75} />
      </button>
      <Modal opened={opened} onClose={help.close} title="Keys" size="sm" closeButtonProps={{ 'aria-label': 'Close' }}>
        <dl className="stack" style={{ gap: 8 }}>
          {KEYS.map(([key, what]) => (
            <div key={key} className="row">
              <dt style={{ width: 110 }}>
                <kbd>{key}</kbd>
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
      </Modal>
    </>
  );
}
