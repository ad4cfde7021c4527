// Which series get a panel, and how their values are written.
import type { Run } from '../../api/queries';

const KNOWN = ['loss', 'grad_norm', 'update_norm', 'lr'];
/** What only counts along: x can show it. */
const COUNTERS = new Set(['tokens', 'flops', 'epoch']);
const WITHIN = new Set(['heldout_loss']);
const MAX_PANELS = 8;

/** The well-known first, then the rest by name, without per-layer series. */
export function panelsOf(keys: string[]): string[] {
  const known = KNOWN.filter((key) => keys.includes(key));
  const rest = keys.filter((key) => !KNOWN.includes(key) && !(WITHIN.has(key) && keys.includes('loss')) && !key.includes('/') && !COUNTERS.has(key)).sort();
  return [...known, ...rest].slice(0, MAX_PANELS);
}

/** The last step that the spec plans; null when it plans none. */
export function plannedEnd(run: Run): number | null {
  const steps = run.spec['num_steps'];
  return typeof steps === 'number' ? steps : null;
}

/** What stands small beside a panel's title. */
export const NOTES: Record<string, string> = {
  loss: 'nats per token',
  grad_norm: 'before clipping',
  update_norm: 'step of all weights',
  lr: 'schedule × lr_scale',
};
