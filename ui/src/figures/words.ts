// Words that people read, from the names in the protocol.
const known: Record<string, string> = {
  c4_quality: 'C4',
  fineweb_quality: 'FineWeb quality',
  gopher_quality: 'Gopher quality',
  gopher_repetition: 'Gopher repetition',
  minhash: 'MinHash',
  quality_score: 'Quality score',
  spearman: 'Spearman\u2019s correlation',
  pearson: 'Pearson\u2019s correlation',
  url: 'URL filter',
  dedup: 'Duplicates',
  no_text: 'No text',
  extract: 'Extraction',
  pii: 'PII',
  lr: 'Learning rate',
  loss: 'Training loss',
  heldout_loss: 'Held-out loss',
  grad_norm: 'Gradient norm',
  update_norm: 'Update norm',
  bits_per_byte: 'Bits per byte',
  adamw: 'AdamW',
  wsd: 'WSD',
  smollm3: 'SmolLM3',
  eps: 'Epsilon',
  d_model: 'Width',
  d_ffn: 'FFN width',
  gpus: 'GPUs',
  ips: 'IP addresses',
  emails: 'E-mail addresses',
  dtype: 'Number type',
};

/** `gopher_quality` -> `Gopher quality`; `num_layers` -> `Layers`. */
export function spellOut(name: string): string {
  const fixed = known[name];
  if (fixed) return fixed;
  const text = name.replace(/^num_/, '').replaceAll('_', ' ').trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `gopher_quality.min_words` -> [`Gopher quality`, `Min words`]; `...max_top_ngram_char_fraction.2` -> `Max top 2-gram char fraction`. */
export function spellRule(rule: string): { group: string; part: string | null } {
  const dot = rule.indexOf('.');
  if (dot < 0) return { group: spellOut(rule), part: null };
  const [field = '', size] = rule.slice(dot + 1).split('.');
  const named = size === undefined ? field : field.includes('ngram') ? field.replace('ngram', `${size}-gram`) : `${field} ${size}`;
  return { group: spellOut(rule.slice(0, dot)), part: spellOut(named) };
}

const languages = new Intl.DisplayNames(['en'], { type: 'language' });

/** `fr` -> `French`. */
export function spellLanguage(code: string): string {
  if (!code) return 'unknown';
  try {
    return languages.of(code) ?? code;
  } catch {
    return code;
  }
}
