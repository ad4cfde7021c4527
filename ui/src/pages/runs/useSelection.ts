// Which rows are chosen: by the box, by `x` on the focused row, by Shift over a range.
import { useCallback, useRef, useState } from 'react';

export interface Selection {
  ids: ReadonlySet<string>;
  toggle: (id: string, range?: boolean) => void;
  clear: () => void;
}

/** The rows between two of them, both included, in the order of the list. */
export function rangeOf(order: readonly string[], a: string, b: string): string[] {
  const [from, to] = [order.indexOf(a), order.indexOf(b)].sort((x, y) => x - y);
  return from === undefined || to === undefined || from < 0 ? [b] : order.slice(from, to + 1);
}

/** `order`: the ids of the rows on the page, from above. */
export function useSelection(order: () => string[]): Selection {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set());
  const last = useRef<string | null>(null);
  const toggle = useCallback(
    (id: string, range = false) => {
      const run = range && last.current ? rangeOf(order(), last.current, id) : null;
      last.current = id;
      setIds((old) => {
        const next = new Set(old);
        if (run) for (const each of run) next.add(each);
        else if (!next.delete(id)) next.add(id);
        return next;
      });
    },
    [order],
  );
  const clear = useCallback(() => setIds(new Set()), []);
  return { ids, toggle, clear };
}
