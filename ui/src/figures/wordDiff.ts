// Two texts word by word: what one has that the other has not.
export interface Word {
  text: string;
  /** Not in the other text. */
  own: boolean;
}

const MAX_CELLS = 4_000_000;

const split = (text: string) => text.match(/\s+|[^\s]+/gu) ?? [];

function append(words: Word[], text: string, own: boolean): void {
  const last = words.at(-1);
  if (last && last.own === own) last.text += text;
  else words.push({ text, own });
}

/** Lengths of the longest common subsequence of the ends, row by row. */
function lengths(a: readonly string[], b: readonly string[]): Uint16Array {
  const width = b.length + 1;
  const table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--) {
      const at = i * width + j;
      table[at] = a[i] === b[j] ? (table[at + width + 1] ?? 0) + 1 : Math.max(table[at + width] ?? 0, table[at + 1] ?? 0);
    }
  return table;
}

/** Both texts whole, in pieces; too long ones differ as a whole between their common beginning and end. */
export function diffWords(left: string, right: string): [Word[], Word[]] {
  const [a, b] = [split(left), split(right)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const [middleA, middleB] = [a.slice(start, a.length - end), b.slice(start, b.length - end)];
  const [mine, theirs]: [Word[], Word[]] = [[], []];
  const both = (text: string) => {
    append(mine, text, false);
    append(theirs, text, false);
  };
  a.slice(0, start).forEach(both);
  if ((middleA.length + 1) * (middleB.length + 1) > MAX_CELLS) {
    middleA.forEach((text) => append(mine, text, true));
    middleB.forEach((text) => append(theirs, text, true));
  } else walk(middleA, middleB, mine, theirs, both);
  a.slice(a.length - end).forEach(both);
  return [mine, theirs];
}

function walk(a: readonly string[], b: readonly string[], mine: Word[], theirs: Word[], both: (text: string) => void): void {
  const table = lengths(a, b);
  const width = b.length + 1;
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [left, right] = [a[i], b[j]];
    if (left !== undefined && left === right) {
      both(left);
      i++;
      j++;
    } else if (right === undefined || (left !== undefined && (table[(i + 1) * width + j] ?? 0) >= (table[i * width + j + 1] ?? 0))) {
      append(mine, left ?? '', true);
      i++;
    } else {
      append(theirs, right, true);
      j++;
    }
  }
}
