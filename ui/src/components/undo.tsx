// What a person takes away goes after a moment in which it can be had back. These are the only toasts there are.
import { IconX } from '@tabler/icons-react';
import { useMemo, useSyncExternalStore } from 'react';

const MOMENT_MS = 8_000;

interface Leaving {
  key: string;
  says: string;
  act: () => Promise<unknown>;
  /** It is being carried out, and can no longer be had back. */
  going: boolean;
  problem: string | null;
}

let leaving: readonly Leaving[] = [];
const timers = new Map<string, number>();
const listeners = new Set<() => void>();

function set(next: readonly Leaving[]): void {
  leaving = next;
  for (const tell of listeners) tell();
}

const change = (key: string, fields: Partial<Leaving>): void => set(leaving.map((item) => (item.key === key ? { ...item, ...fields } : item)));

function stop(key: string): void {
  window.clearTimeout(timers.get(key));
  timers.delete(key);
}

function start(key: string): void {
  stop(key);
  timers.set(key, window.setTimeout(() => void carryOut(key), MOMENT_MS));
}

function forget(key: string): void {
  stop(key);
  set(leaving.filter((item) => item.key !== key));
}

async function carryOut(key: string): Promise<void> {
  stop(key);
  const item = leaving.find((one) => one.key === key);
  if (!item || item.going) return;
  change(key, { going: true });
  try {
    await item.act();
    forget(key);
  } catch (error) {
    change(key, { going: false, problem: error instanceof Error ? error.message : String(error) });
  }
}

/**
 * Hides what `key` names (see `useLeaving`) and says so; `act` takes it away for good after eight seconds, at once when
 * the toast is closed or the page is left, and never after "Undo".
 */
export function takeAway(key: string, says: string, act: () => Promise<unknown>): void {
  if (leaving.some((item) => item.key === key && item.going)) return;
  set([...leaving.filter((item) => item.key !== key), { key, says, act, going: false, problem: null }]);
  start(key);
}

window.addEventListener('pagehide', () => {
  for (const item of leaving) if (item.problem === null) void carryOut(item.key);
});

function listen(tell: () => void): () => void {
  listeners.add(tell);
  return () => listeners.delete(tell);
}

/** Keys of what is not to be shown any more. */
export function useLeaving(): ReadonlySet<string> {
  const items = useSyncExternalStore(listen, () => leaving);
  return useMemo(() => new Set(items.filter((item) => item.problem === null).map((item) => item.key)), [items]);
}

function Toast({ item }: { item: Leaving }) {
  const { key, says, problem } = item;
  return (
    <div className="toast" onPointerEnter={() => stop(key)} onPointerLeave={() => problem === null && start(key)} onFocus={() => stop(key)} onBlur={() => problem === null && start(key)}>
      <span className="toast-text">{problem === null ? says : `It stays: ${problem}`}</span>
      {problem === null && (
        <button className="btn" onClick={() => forget(key)}>
          Undo
        </button>
      )}
      <button className="btn icon" aria-label="Close" title={problem === null ? 'Now, for good' : undefined} onClick={() => (problem === null ? void carryOut(key) : forget(key))}>
        <IconX size={14} stroke={1.75} />
      </button>
    </div>
  );
}

export function Toasts() {
  const items = useSyncExternalStore(listen, () => leaving);
  return (
    <div className="toasts" role="status">
      {items.filter((item) => !item.going).map((item) => (
        <Toast key={item.key} item={item} />
      ))}
    </div>
  );
}
