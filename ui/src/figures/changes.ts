// What a row of the audit log says of a change: fields that differ, with their values before and after.
export interface Change {
  field: string;
  before: string;
  after: string;
}

type Values = Record<string, unknown> | null | undefined;
const show = (value: unknown): string => (value === undefined || value === null || value === '' ? '' : typeof value === 'string' ? value : JSON.stringify(value));

/** Fields of either side whose values differ; empty on both sides says nothing and is left out. */
export function changesOf(before: Values, after: Values): Change[] {
  const fields = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  return fields.map((field) => ({ field, before: show(before?.[field]), after: show(after?.[field]) })).filter((change) => change.before !== change.after);
}
