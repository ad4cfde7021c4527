// What an item of a multiple-choice task says, read from its data.
export interface Choice {
  text: string;
  right: boolean;
}

export interface ReadItem {
  context: string;
  choices: Choice[];
}

const asText = (value: unknown): string => (typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value));

/** Context and choices; an item of another kind has its text, and no choices. */
export function readItem(data: Record<string, unknown>): ReadItem {
  const choices = Array.isArray(data['choices']) ? data['choices'] : [];
  const right = data['answer'] ?? data['gold'];
  return { context: asText(data['context'] ?? data['text'] ?? data['question']), choices: choices.map((text, i) => ({ text: asText(text), right: i === right })) };
}

/** The number of the choice that the model took; null where the item has none. */
export function pickOf(data: Record<string, unknown>): number | null {
  const picked = data['chosen'] ?? data['picked'];
  return typeof picked === 'number' ? picked : null;
}

/** The share of each choice as the model sees it: a softmax over minus the bits of each byte. Null where they are not kept. */
export function sharesOf(data: Record<string, unknown>): number[] | null {
  const bits = data['bits_per_byte'];
  if (!Array.isArray(bits) || bits.length === 0 || !bits.every((v) => typeof v === 'number' && Number.isFinite(v))) return null;
  const least = Math.min(...(bits as number[]));
  const weights = (bits as number[]).map((v) => 2 ** (least - v));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((v) => v / sum);
}
