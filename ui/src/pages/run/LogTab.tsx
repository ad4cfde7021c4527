// The log, or the events: search, follow the end, pause on scroll.
import { useDebouncedValue } from '@mantine/hooks';
import { IconArrowDown } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useState } from 'react';
import { EVENT_KINDS, eventsQuery } from '../../api/events';
import type { RunEvent } from '../../api/queries';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { SearchBox } from '../../components/SearchBox';
import { formatStep } from '../../figures/numbers';
import { formatClock } from '../../figures/time';

const ROW = 20;
const NEAR_END = 40;

function LogRow({ event, withKind }: { event: RunEvent; withKind: boolean }) {
  return (
    <div className={`log-row mono level-${event.level}`}>
      <time className="muted" dateTime={event.time} title={event.time}>
        {formatClock(event.time)}
      </time>
      <span className="log-step muted">{event.step == null ? '' : formatStep(event.step)}</span>
      {withKind && <span className="log-kind">{event.kind}</span>}
      <span className="log-message">
        {event.level === 'error' || event.level === 'warning' ? `${event.level}: ` : ''}
        {event.message}
      </span>
    </div>
  );
}

function Lines({ events, withKind, more, loadMore }: { events: RunEvent[]; withKind: boolean; more: boolean; loadMore: () => void }) {
  const box = useRef<HTMLDivElement>(null);
  const [follow, setFollow] = useState(true);
  // eslint-disable-next-line react-hooks/incompatible-library -- the virtualizer's functions are used in this component alone
  const rows = useVirtualizer({
    count: events.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 20,
    getItemKey: (i) => events[i]?.id ?? i,
  });
  const last = events.at(-1)?.id;
  useEffect(() => {
    if (follow && last !== undefined) rows.scrollToIndex(events.length - 1, { align: 'end' });
  }, [follow, last, events.length, rows]);
  return (
    <div className="log-box">
      <div
        ref={box}
        className="log-scroll"
        role="log"
        aria-label="Lines"
        tabIndex={0}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          setFollow(scrollHeight - scrollTop - clientHeight < NEAR_END);
        }}
      >
        {more && (
          <button className="btn ghost compact" onClick={loadMore}>
            Load earlier lines
          </button>
        )}
        <div style={{ height: rows.getTotalSize(), position: 'relative' }}>
          {rows.getVirtualItems().map((item) => {
            const event = events[item.index];
            return (
              event && (
                <div key={item.key} ref={rows.measureElement} data-index={item.index} className="log-line" style={{ transform: `translateY(${item.start}px)` }}>
                  <LogRow event={event} withKind={withKind} />
                </div>
              )
            );
          })}
        </div>
      </div>
      {!follow && (
        <button className="btn compact log-follow" onClick={() => setFollow(true)}>
          <IconArrowDown size={14} stroke={1.75} /> Paused. Follow the end
        </button>
      )}
    </div>
  );
}

export function LogTab({ runId, only }: { runId: string; only: 'log' | 'events' }) {
  const [q, setQ] = useState('');
  const [words] = useDebouncedValue(q, 250);
  const query = useInfiniteQuery(eventsQuery(runId, { kind: only === 'log' ? ['log'] : EVENT_KINDS, q: words || undefined }));
  const events = useMemo(() => [...(query.data?.pages ?? [])].reverse().flat(), [query.data]);
  if (query.error && !query.data) return <ProblemCard error={query.error} what="The lines could not be loaded" safe="They are kept." retry={() => void query.refetch()} />;
  if (!query.data) return <SkeletonRows rows={8} height={20} />;
  return (
    <section className="card log-card" aria-label={only === 'log' ? 'Log' : 'Events'}>
      <div className="log-tools">
        <SearchBox label="Search in the lines" value={q} onChange={setQ} />
        <span className="small muted">{events.length ? `${events.length} lines` : ''}</span>
      </div>
      {events.length > 0 ? (
        <Lines events={events} withKind={only === 'events'} more={query.hasNextPage && !query.isFetchingNextPage} loadMore={() => void query.fetchNextPage()} />
      ) : words ? (
        <p className="muted small log-none">No line has “{words}” in it.</p>
      ) : (
        <Empty title={only === 'log' ? 'No log yet' : 'No events yet'} todo="Lines appear as the worker reports them." />
      )}
    </section>
  );
}
