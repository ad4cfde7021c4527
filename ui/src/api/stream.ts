// The live stream (SSE). One connection a tab; it reconnects by itself and says how it is.
import { retrySeconds } from './backoff';

export interface StreamMessage {
  type: string;
  run_id?: string;
}

export type StreamState = { kind: 'live'; at: number } | { kind: 'connecting' } | { kind: 'lost'; retryAt: number };

type Connect = (url: string) => Pick<EventSource, 'close' | 'onopen' | 'onerror' | 'onmessage'> & {
  addEventListener?: EventSource['addEventListener'];
};

const TYPES = ['run', 'metrics', 'event', 'intervention', 'finding'];

/** Reads the stream until `close`; after each reconnect `onResume` is told, so that what was missed is fetched. */
export class LiveStream {
  private source: ReturnType<Connect> | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;
  private opened = false;
  private lastId = '';

  constructor(
    private readonly url: string,
    private readonly listener: {
      onMessage: (message: StreamMessage) => void;
      onState: (state: StreamState) => void;
      onResume: () => void;
    },
    private readonly connect: Connect = (target) => new EventSource(target, { withCredentials: true }),
    private readonly random: () => number = Math.random,
  ) {}

  open(): void {
    this.listener.onState({ kind: 'connecting' });
    const join = this.url.includes('?') ? '&' : '?';
    const source = this.connect(this.lastId ? `${this.url}${join}last_event_id=${encodeURIComponent(this.lastId)}` : this.url);
    this.source = source;
    source.onopen = () => {
      this.attempt = 0;
      this.listener.onState({ kind: 'live', at: Date.now() });
      if (this.opened) this.listener.onResume();
      this.opened = true;
    };
    const take = (event: MessageEvent) => this.take(event);
    source.onmessage = take;
    for (const type of TYPES) source.addEventListener?.(type, take);
    source.onerror = () => this.retry();
  }

  close(): void {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  private take(event: MessageEvent): void {
    if (event.lastEventId) this.lastId = event.lastEventId;
    this.listener.onState({ kind: 'live', at: Date.now() });
    try {
      this.listener.onMessage(JSON.parse(String(event.data)) as StreamMessage);
    } catch {
      // A heartbeat or a line that is not JSON: the stream is alive, there is nothing to do.
    }
  }

  private retry(): void {
    this.source?.close();
    this.source = null;
    this.attempt += 1;
    const seconds = retrySeconds(this.attempt, this.random);
    this.listener.onState({ kind: 'lost', retryAt: Date.now() + seconds * 1000 });
    this.timer = setTimeout(() => this.open(), seconds * 1000);
  }
}
