// Colours of the theme as a canvas needs them.
const cache = new Map<string, string>();
let scheme = '';

/** The value of a CSS variable now. */
export function color(name: string): string {
  const root = document.documentElement;
  const now = root.getAttribute('data-mantine-color-scheme') ?? 'light';
  if (now !== scheme) cache.clear();
  scheme = now;
  const known = cache.get(name);
  if (known) return known;
  const value = getComputedStyle(root).getPropertyValue(name).trim() || '#888888';
  cache.set(name, value);
  return value;
}

/** A colour of the theme with an opacity in [0, 1]. */
export function faint(name: string, opacity: number): string {
  return color(name) + Math.round(opacity * 255).toString(16).padStart(2, '0');
}
