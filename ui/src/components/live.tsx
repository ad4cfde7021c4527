// The live stream for the whole app, and how it is doing.
import { useQueryClient } from '@tanstack/react-query';
import { createContext, use, useEffect, useState, type ReactNode } from 'react';
import { Refresher } from '../api/refresh';
import { LiveStream, type StreamState } from '../api/stream';

const Live = createContext<StreamState>({ kind: 'connecting' });

export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [state, setState] = useState<StreamState>({ kind: 'connecting' });
  useEffect(() => {
    const refresher = new Refresher(client);
    const stream = new LiveStream('/api/v1/stream', {
      onMessage: (message) => refresher.add(message),
      onState: setState,
      onResume: () => void client.invalidateQueries({ queryKey: ['runs'] }),
    });
    stream.open();
    return () => {
      stream.close();
      refresher.close();
    };
  }, [client]);
  return <Live value={state}>{children}</Live>;
}

export const useLive = (): StreamState => use(Live);

/** The time, told anew every `everyMs`; stands still while the tab is hidden. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) setNow(Date.now());
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** `Live`, or since when not and when it tries again. */
export function LivePill({ zoomed = false }: { zoomed?: boolean }) {
  const live = useLive();
  const now = useNow();
  if (live.kind === 'live')
    return (
      <span className="pill live" role="status">
        <span className="dot breathing" style={{ background: 'var(--running)' }} />
        {zoomed ? 'Live, zoomed' : 'Live'}
      </span>
    );
  const seconds = live.kind === 'lost' ? Math.max(0, Math.ceil((live.retryAt - now) / 1000)) : null;
  return (
    <span className="pill is-paused" role="status">
      {seconds === null ? 'Connecting' : `Not live, retrying in ${seconds}\u2009s`}
    </span>
  );
}
