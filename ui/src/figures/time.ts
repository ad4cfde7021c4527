// How durations and times are written.
import { MISSING, THIN } from './numbers';

/** `35 s`, `4 m 10 s`, `1 h 05 m`, `2 d 3 h`. */
export function formatDuration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return MISSING;
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s}${THIN}s`;
  const m = Math.floor(s / 60);
  if (m < 60) return `${m}${THIN}m ${s % 60}${THIN}s`;
  const h = Math.floor(m / 60);
  if (h < 24) return `${h}${THIN}h ${String(m % 60).padStart(2, '0')}${THIN}m`;
  return `${Math.floor(h / 24)}${THIN}d ${h % 24}${THIN}h`;
}

/** `16 m ago` under a day, then `2026-11-23 14:05` in local time. */
export function formatWhen(iso: string | null | undefined, nowMs: number): string {
  if (!iso) return MISSING;
  const then = new Date(iso);
  const seconds = (nowMs - then.getTime()) / 1000;
  if (seconds < 5) return 'now';
  if (seconds < 60) return `${Math.floor(seconds)}${THIN}s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}${THIN}m ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}${THIN}h ago`;
  return formatStamp(then);
}

/** `in 16 m` under a day, then `2026-11-23 14:05` in local time. */
export function formatAhead(iso: string | null | undefined, nowMs: number): string {
  if (!iso) return MISSING;
  const then = new Date(iso);
  const seconds = (then.getTime() - nowMs) / 1000;
  if (seconds < 60) return seconds < -60 ? formatStamp(then) : 'now';
  if (seconds < 3600) return `in ${Math.floor(seconds / 60)}${THIN}m`;
  if (seconds < 86_400) return `in ${Math.floor(seconds / 3600)}${THIN}h ${String(Math.floor(seconds / 60) % 60).padStart(2, '0')}${THIN}m`;
  return formatStamp(then);
}

/** `Mon 23 Nov, 14:05` on the wall clock of a zone. */
export function formatInZone(iso: string, zone: string): string {
  const options = { weekday: 'short', day: '2-digit', month: 'short', hour: '2-digit', minute: '2-digit', timeZone: zone } as const;
  return new Intl.DateTimeFormat('en-GB', options).format(new Date(iso));
}

/** `2026-11-23 14:05`, local time. */
export function formatStamp(date: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** `14:05:09`, local time. */
export function formatClock(iso: string): string {
  return new Date(iso).toLocaleTimeString('en-GB');
}

/** Seconds from start to finish, or to now while it goes on. */
export function elapsedSeconds(started: string | null, finished: string | null, nowMs: number): number | null {
  if (!started) return null;
  const end = finished ? new Date(finished).getTime() : nowMs;
  return (end - new Date(started).getTime()) / 1000;
}
