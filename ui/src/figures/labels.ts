// Labels by the keyboard: 0 to 5, on to the next, undo.
export const SCORES = [0, 1, 2, 3, 4, 5] as const;

/** FineWeb-Edu's scale, in a word each. arXiv 2406.17557, section 4. */
export const SCORE_WORDS = ['worthless', 'poor', 'fair', 'good', 'very good', 'excellent'] as const;

export interface LabelStep {
  document_id: string;
  score: number;
  /** What it was before; null: nothing. */
  before: number | null;
}

/** What a key means while labelling: a score, a step back, or nothing. */
export function labelKey(key: string, modified: boolean): { score: number } | 'undo' | null {
  if (modified) return null;
  if (/^[0-5]$/.test(key)) return { score: Number(key) };
  return key === 'u' || key === 'Backspace' ? 'undo' : null;
}

/** Where to go after a label: the next one without a score, else the next one, else stay. */
export function nextUnlabelled(ids: readonly string[], at: number, scored: (id: string) => boolean): number {
  for (let i = at + 1; i < ids.length; i++) if (!scored(ids[i] ?? '')) return i;
  return Math.min(at + 1, Math.max(0, ids.length - 1));
}
