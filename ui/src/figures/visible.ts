// Characters that one does not see, or that turn the text around, by their names.
const NAMES: Record<string, string> = {
  '\u0000': 'NUL',
  '\t': '',
  '\u00a0': '',
  '\u00ad': 'SHY',
  '\u200b': 'ZWSP',
  '\u200c': '',
  '\u200d': '',
  '\u200e': 'LRM',
  '\u200f': 'RLM',
  '\u202a': 'LRE',
  '\u202b': 'RLE',
  '\u202c': 'PDF',
  '\u202d': 'LRO',
  '\u202e': 'RLO',
  '\u2066': 'LRI',
  '\u2067': 'RLI',
  '\u2068': 'FSI',
  '\u2069': 'PDI',
  '\ufeff': 'BOM',
  '\ufffd': '',
};

export interface Part {
  text: string;
  /** Stands for a character that has no shape. */
  hidden: boolean;
}

const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const nameOf = (char: string) => NAMES[char] ?? `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;

/** Line feeds and tabs stay; joiners and no-break spaces belong to writing and stay too. */
export function showHidden(text: string): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const found of text.matchAll(HIDDEN)) {
    if (found.index > from) parts.push({ text: text.slice(from, found.index), hidden: false });
    parts.push({ text: nameOf(found[0]), hidden: true });
    from = found.index + found[0].length;
  }
  if (from < text.length || parts.length === 0) parts.push({ text: text.slice(from), hidden: false });
  return parts;
}
