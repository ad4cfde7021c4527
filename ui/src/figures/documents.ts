// Specs as documents: paths, differences, lines.
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Equal as JSON; the order of keys does not matter. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => sameJson(item, b[i]));
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((key) => key in b && sameJson(a[key], b[key]));
  }
  return Object.is(a, b);
}

/** Pointers (`/optimizer/lr`) of the leaves in which two documents differ. */
export function changedPointers(base: unknown, mine: unknown, at = ''): string[] {
  if (sameJson(base, mine)) return [];
  if (isObject(base) && isObject(mine)) {
    const keys = new Set([...Object.keys(base), ...Object.keys(mine)]);
    return [...keys].flatMap((key) => changedPointers(base[key], mine[key], `${at}/${key}`));
  }
  return [at || '/'];
}

/** What stands at a pointer. */
export function valueAtPointer(document: unknown, pointer: string): unknown {
  return pointer
    .split('/')
    .slice(1)
    .reduce<unknown>((node, key) => (Array.isArray(node) ? node[Number(key)] : isObject(node) ? node[key] : undefined), document);
}

export interface DiffLine {
  sign: ' ' | '+' | '-';
  text: string;
  /** Line number in the new text, or in the old one for `-`. */
  number: number;
}

/** Line difference by longest common subsequence; meant for documents of some hundred lines. */
export function diffLines(before: string, after: string): DiffLine[] {
  const [a, b] = [before.split('\n'), after.split('\n')];
  const length = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  const cell = (i: number, j: number) => length[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    const row = length[i];
    if (!row) continue;
    for (let j = b.length - 1; j >= 0; j--) row[j] = a[i] === b[j] ? cell(i + 1, j + 1) + 1 : Math.max(cell(i + 1, j), cell(i, j + 1));
  }
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ sign: ' ', text: b[j] ?? '', number: j + 1 });
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && cell(i + 1, j) >= cell(i, j + 1))) {
      lines.push({ sign: '-', text: a[i] ?? '', number: i + 1 });
      i++;
    } else {
      lines.push({ sign: '+', text: b[j] ?? '', number: j + 1 });
      j++;
    }
  }
  return lines;
}

/** Runs of unchanged lines longer than twice the context are folded into their count. */
export function foldLines(lines: DiffLine[], context = 2): (DiffLine | { skipped: number })[] {
  const near = lines.map((_, i) => lines.slice(Math.max(0, i - context), i + context + 1).some((line) => line.sign !== ' '));
  const folded: (DiffLine | { skipped: number })[] = [];
  lines.forEach((line, i) => {
    const last = folded.at(-1);
    if (near[i]) folded.push(line);
    else if (last && 'skipped' in last) last.skipped++;
    else folded.push({ skipped: 1 });
  });
  return folded;
}
