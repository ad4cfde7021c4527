// How numbers are written. Thin space (U+2009) before a unit, true minus (U+2212), an en dash for what is missing.
export const THIN = '\u2009';
export const MISSING = '\u2013';
const MINUS = '\u2212';

type Maybe = number | null | undefined;

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

function absent(value: Maybe): value is null | undefined {
  return value === null || value === undefined;
}

/** `12480` -> `12,480`. */
export function formatStep(value: Maybe): string {
  return absent(value) ? MISSING : Number.isFinite(value) ? whole.format(value) : 'NaN';
}

/** Three significant digits with a unit from 100 k on: `41,280`, `818 M`, `1.2 B`. */
export function formatCount(value: Maybe): string {
  if (absent(value)) return MISSING;
  if (!Number.isFinite(value)) return 'NaN';
  const size = Math.abs(value);
  if (size < 99_999.5) return whole.format(value);
  for (const [scale, unit] of [[1e3, 'k'], [1e6, 'M'], [1e9, 'B'], [1e12, 'T']] as const) {
    const scaled = value / scale;
    if (Math.abs(scaled) < 999.5 || unit === 'T') return `${significant(scaled)}${THIN}${unit}`;
  }
  return MISSING;
}

/** A rate: thousands get their unit from 10 k on, small ones a decimal. */
export function formatRate(value: Maybe, unit: string): string {
  if (absent(value)) return MISSING;
  const figure = value >= 10_000 ? `${significant(value / 1000)}${THIN}k` : value < 10 ? value.toFixed(1) : whole.format(value);
  return `${figure} ${unit}`;
}

function significant(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** Loss, bits per byte: four decimals. */
export function formatLoss(value: Maybe): string {
  return absent(value) ? MISSING : Number.isFinite(value) ? value.toFixed(4).replace('-', MINUS) : 'NaN';
}

/** A difference with its sign: `+0.0076`, `−0.0121`. */
export function formatDifference(value: Maybe, digits = 4): string {
  if (absent(value)) return MISSING;
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? MINUS + text : `+${text}`;
}

/** A learning rate: `1.2e-3`; 0 stays `0`. */
export function formatLr(value: Maybe): string {
  if (absent(value)) return MISSING;
  if (value === 0) return '0';
  return value.toExponential(3).replace(/\.?0+e/, 'e').replace('e+', 'e');
}

/** FLOPs: `1.5e17`; 0 stays `0`. */
export function formatFlops(value: Maybe): string {
  if (absent(value)) return MISSING;
  return value === 0 ? '0' : value.toExponential(2).replace(/\.?0+e/, 'e').replace('e+', 'e');
}

/** Gradient and update norms: three decimals, less for large ones. */
export function formatNorm(value: Maybe): string {
  if (absent(value)) return MISSING;
  if (!Number.isFinite(value)) return 'NaN';
  return value >= 1000 ? whole.format(value) : value >= 100 ? value.toFixed(1) : value.toFixed(3);
}

/** A share in [0, 1]: `32.1 %`. */
export function formatPercent(share: Maybe, digits = 1): string {
  return absent(share) ? MISSING : Number.isFinite(share) ? `${(share * 100).toFixed(digits)}${THIN}%` : 'NaN';
}

/** Bytes, decimal: `14.2 GB`. */
export function formatBytes(value: Maybe): string {
  if (absent(value)) return MISSING;
  for (const [scale, unit] of [[1e3, 'kB'], [1e6, 'MB'], [1e9, 'GB']] as const) {
    if (value < scale * 999.5 || unit === 'GB') return value < 1000 ? `${value}${THIN}B` : `${significant(value / scale)}${THIN}${unit}`;
  }
  return MISSING;
}

/** Any figure of unknown meaning: whole if whole, else up to four significant digits. */
export function formatFigure(value: Maybe): string {
  if (absent(value)) return MISSING;
  if (!Number.isFinite(value)) return 'NaN';
  if (Number.isInteger(value)) return whole.format(value).replace('-', MINUS);
  const size = Math.abs(value);
  const text = size < 1e-3 || size >= 1e6 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  return text.replace(/^-/, MINUS);
}
