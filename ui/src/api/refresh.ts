// Which answers go stale by a message of the stream; gathered, and refreshed together.
import type { QueryClient, QueryKey } from '@tanstack/react-query';
import { keys } from './queries';
import type { StreamMessage } from './stream';

const GATHER_MS = 700;

/** The keys that a message makes stale. */
export function staleKeys(message: StreamMessage): QueryKey[] {
  const id = message.run_id;
  if (!id) return [];
  switch (message.type) {
    case 'run':
      return [[...keys.runs, 'list'], keys.run(id), keys.attention];
    case 'metrics':
      return [[...keys.runs, id, 'metric'], keys.series(id), keys.run(id), [...keys.runs, 'list']];
    case 'event':
      return [keys.events(id), keys.run(id)];
    case 'intervention':
      return [keys.interventions(id), keys.run(id), keys.attention];
    case 'finding':
      return [keys.findings(id), keys.attention];
    default:
      return [];
  }
}

/** Collects stale keys and refetches what is on screen, at most once in `GATHER_MS`. */
export class Refresher {
  private readonly waiting = new Map<string, QueryKey>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly client: Pick<QueryClient, 'invalidateQueries'>,
    private readonly gatherMs = GATHER_MS,
  ) {}

  add(message: StreamMessage): void {
    for (const key of staleKeys(message)) this.waiting.set(JSON.stringify(key), key);
    if (this.waiting.size > 0) this.timer ??= setTimeout(() => this.flush(), this.gatherMs);
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private flush(): void {
    this.timer = undefined;
    const due = [...this.waiting.values()];
    this.waiting.clear();
    for (const queryKey of due) void this.client.invalidateQueries({ queryKey, exact: queryKey.length === 2 && queryKey[0] === 'runs' });
  }
}
