// A state is always a shape and a word (or a label), never colour alone.
import type { RunSummary } from '../api/queries';
import { Glyph, type GlyphName } from './Glyph';

export type RunState = RunSummary['state'];

const WORDS: Record<RunState, string> = {
  queued: 'Queued',
  running: 'Running',
  paused: 'Paused',
  cancelling: 'Cancelling',
  completed: 'Completed',
  failed: 'Failed',
  crashed: 'Crashed',
  cancelled: 'Cancelled',
};

export const isTerminal = (state: RunState): boolean =>
  state === 'completed' || state === 'failed' || state === 'crashed' || state === 'cancelled';

export function StateGlyph({ state, size = 14 }: { state: RunState; size?: number }) {
  return (
    <span className={`is-${state}`} title={WORDS[state]}>
      <Glyph name={state} size={size} label={WORDS[state]} />
    </span>
  );
}

export function StatePill({ state }: { state: RunState }) {
  return (
    <span className={`pill is-${state}`}>
      <Glyph name={state} size={14} />
      {WORDS[state]}
    </span>
  );
}

export type Outcome = 'proposed' | 'rejected' | 'verifying' | 'recovered' | 'not_recovered' | 'no_checkpoint' | 'done' | 'refused';

export const OUTCOMES: Record<Outcome, string> = {
  proposed: 'Waits for approval',
  rejected: 'Rejected',
  verifying: 'Verifying',
  recovered: 'Recovered',
  not_recovered: 'Not recovered',
  no_checkpoint: 'No checkpoint',
  done: 'Done',
  refused: 'Refused',
};

export function OutcomeGlyph({ outcome, size = 14, label }: { outcome: Outcome; size?: number; label?: string }) {
  return (
    <span className={`is-${outcome}`}>
      <Glyph name={outcome satisfies GlyphName} size={size} label={label ?? OUTCOMES[outcome]} />
    </span>
  );
}

export function OutcomePill({ outcome }: { outcome: Outcome }) {
  return (
    <span className={`pill is-${outcome}`}>
      <Glyph name={outcome} size={14} />
      {OUTCOMES[outcome]}
    </span>
  );
}
