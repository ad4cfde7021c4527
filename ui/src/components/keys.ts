// Keys of a page. They mean nothing while a person writes, and leave keys with Ctrl or Alt to the browser.
import { useHotkeys } from '@mantine/hooks';

const NO_TEXT = new Set(['checkbox', 'radio', 'range', 'button']);

function isWriting(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return !NO_TEXT.has(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || (target instanceof HTMLElement && target.isContentEditable);
}

export function useKeys(keys: readonly (readonly [key: string, act: () => void])[]): void {
  useHotkeys(
    keys.map(([key, act]) => [
      key,
      (event) => {
        if (isWriting(event.target)) return;
        if (key !== 'Escape') event.preventDefault();
        act();
      },
      { preventDefault: false },
    ]),
    [],
  );
}
