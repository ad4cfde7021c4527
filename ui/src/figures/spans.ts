// A text cut into lines, the deciding span marked in each line that it touches.
export interface Piece {
  text: string;
  marked: boolean;
}

/**
 * The service counts characters as Python does (code points), JavaScript in UTF-16 units.
 * Lines keep their text unchanged; a span that lies outside of the text marks nothing.
 */
export function cutLines(text: string, span: readonly number[] | null): Piece[][] {
  const points = span ? Array.from(text) : null;
  const from = points && span ? points.slice(0, Math.max(0, span[0] ?? 0)).join('').length : -1;
  const to = points && span ? points.slice(0, Math.max(0, span[1] ?? 0)).join('').length : -1;
  let start = 0;
  return text.split('\n').map((line) => {
    const end = start + line.length;
    const [a, b] = [Math.max(from, start) - start, Math.min(to, end) - start];
    start = end + 1;
    if (from < 0 || a >= b) return [{ text: line, marked: false }];
    return [
      { text: line.slice(0, a), marked: false },
      { text: line.slice(a, b), marked: true },
      { text: line.slice(b), marked: false },
    ].filter((piece) => piece.text.length > 0);
  });
}
