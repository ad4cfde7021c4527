// A time: near ones as a distance, the full ISO time on hover.
import { formatAhead, formatWhen } from '../figures/time';
import { MISSING } from '../figures/numbers';
import { useNow } from './live';

export function When({ time }: { time: string | null | undefined }) {
  const now = useNow(5000);
  if (!time) return <>{MISSING}</>;
  return (
    <time dateTime={time} title={new Date(time).toISOString()}>
      {formatWhen(time, now)}
    </time>
  );
}

/** A time to come. */
export function Ahead({ time }: { time: string | null | undefined }) {
  const now = useNow(5000);
  if (!time) return <>{MISSING}</>;
  return (
    <time dateTime={time} title={new Date(time).toISOString()}>
      {formatAhead(time, now)}
    </time>
  );
}
