// What an intervention says, in words.
import { formatFigure, formatStep, MISSING } from './numbers';
import { spellOut } from './words';

const ACTIONS: Record<string, string> = {
  rollback: 'roll back',
  skip_batches: 'skip batches',
  scale_lr: 'lower LR',
  tighten_clip: 'tighten clip',
};

/** `rollback+scale_lr` -> `Roll back, lower LR`. */
export function spellAction(action: string): string {
  const text = action
    .split('+')
    .map((part) => ACTIONS[part] ?? part.replaceAll('_', ' '))
    .join(', ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export interface Change {
  name: string;
  before: string;
  after: string;
}

const write = (value: unknown): string => (typeof value === 'number' ? formatFigure(value) : value === undefined || value === null ? MISSING : String(value));

/** Settings that an intervention changed, in the order in which they were reported. */
export function changesOf(before: Record<string, unknown>, after: Record<string, unknown>): Change[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return names
    .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map((name) => ({ name, before: write(before[name]), after: write(after[name]) }));
}

/** Numbers and words of the evidence, without the lists (they are drawn). */
export function evidenceFacts(evidence: Record<string, unknown>): { name: string; value: string }[] {
  return Object.entries(evidence)
    .filter(([, value]) => ['number', 'string', 'boolean'].includes(typeof value))
    .map(([name, value]) => ({ name: spellOut(name), value: write(value) }));
}

/** The first list of numbers in the evidence, to be drawn as a small curve. */
export function evidenceSeries(evidence: Record<string, unknown>): number[] | null {
  for (const value of Object.values(evidence)) {
    if (Array.isArray(value) && value.length > 2 && value.every((v) => typeof v === 'number' && Number.isFinite(v))) return value as number[];
  }
  return null;
}

/** How it ended, as a sentence. */
export function spellOutcome(outcome: string, step: number, outcomeStep: number | null | undefined): string {
  switch (outcome) {
    case 'recovered':
      return outcomeStep == null ? 'The loss is back under its level from before.' : `Back under its level from before after ${formatStep(Math.max(0, outcomeStep - step))} steps, at step ${formatStep(outcomeStep)}.`;
    case 'not_recovered':
      return 'The loss did not come back under its level from before in the time given.';
    case 'no_checkpoint':
      return 'There was no good checkpoint to go back to.';
    case 'proposed':
      return 'Nothing is done before a person approves it; the run waits.';
    case 'rejected':
      return 'A person has said no: nothing was done.';
    case 'done':
      return outcomeStep == null ? 'It was done.' : `It was done; training went on at step ${formatStep(outcomeStep)}.`;
    case 'refused':
      return 'It could not be done; the reason stands in the evidence.';
    default:
      return 'The loss is being watched; the verdict stands here when it is known.';
  }
}
