import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { retrySeconds } from '../src/api/backoff';
import { Refresher, staleKeys } from '../src/api/refresh';
import { LiveStream, type StreamState } from '../src/api/stream';

class Source {
  onopen: ((event: Event) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  closed = false;
  constructor(readonly url: string) {}
  close(): void {
    this.closed = true;
  }
}

function setUp() {
  const sources: Source[] = [];
  const states: StreamState[] = [];
  const messages: unknown[] = [];
  let resumed = 0;
  const stream = new LiveStream(
    '/stream',
    { onMessage: (m) => messages.push(m), onState: (s) => states.push(s), onResume: () => resumed++ },
    (url) => {
      const source = new Source(url);
      sources.push(source);
      return source;
    },
    () => 0,
  );
  stream.open();
  return { stream, sources, states, messages, resumed: () => resumed };
}

const event = (data: string, lastEventId = '') => new MessageEvent('message', { data, lastEventId });

describe('the stream', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('comes back by itself, waiting longer each time, and asks for what was missed', () => {
    const { sources, states, messages, resumed } = setUp();
    sources[0]?.onopen?.(new Event('open'));
    sources[0]?.onmessage?.(event('{"type":"event","run_id":"r"}', '41'));
    expect(messages).toEqual([{ type: 'event', run_id: 'r' }]);
    expect(resumed()).toBe(0);

    sources[0]?.onerror?.(new Event('error'));
    expect(sources[0]?.closed).toBe(true);
    expect(states.at(-1)?.kind).toBe('lost');
    vi.advanceTimersByTime(999);
    expect(sources).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(sources[1]?.url).toBe('/stream?last_event_id=41');

    sources[1]?.onerror?.(new Event('error'));
    vi.advanceTimersByTime(1999);
    expect(sources).toHaveLength(2);
    vi.advanceTimersByTime(1);
    sources[2]?.onopen?.(new Event('open'));
    expect(states.at(-1)?.kind).toBe('live');
    expect(resumed()).toBe(1);
  });

  it('survives a line that is not JSON', () => {
    const { sources, messages, states } = setUp();
    sources[0]?.onmessage?.(event('ping'));
    expect(messages).toEqual([]);
    expect(states.at(-1)?.kind).toBe('live');
  });

  it('does not come back once it was closed', () => {
    const { stream, sources } = setUp();
    sources[0]?.onerror?.(new Event('error'));
    stream.close();
    vi.advanceTimersByTime(60_000);
    expect(sources).toHaveLength(1);
  });
});

describe('waiting', () => {
  it('doubles up to 15 s and spreads by at most a quarter', () => {
    expect([1, 2, 3, 4, 5, 9].map((n) => retrySeconds(n, () => 0))).toEqual([1, 2, 4, 8, 15, 15]);
    expect(retrySeconds(9, () => 1)).toBeLessThanOrEqual(18.75);
  });
});

describe('refreshing', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('gathers a burst into one refetch a key', () => {
    const invalidateQueries = vi.fn(() => Promise.resolve());
    const refresher = new Refresher({ invalidateQueries }, 500);
    for (let i = 0; i < 50; i++) refresher.add({ type: 'metrics', run_id: 'r' });
    expect(invalidateQueries).not.toHaveBeenCalled();
    vi.advanceTimersByTime(500);
    expect(invalidateQueries).toHaveBeenCalledTimes(staleKeys({ type: 'metrics', run_id: 'r' }).length);
  });

  it('knows nothing of messages without a run', () => expect(staleKeys({ type: 'hello' })).toEqual([]));
});
