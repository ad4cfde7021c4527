// A browser's name out of what it calls itself; the order counts, since each claims to be the others too.
const NAMES: readonly [RegExp, string][] = [
  [/Edg\//, 'Edge'],
  [/OPR\//, 'Opera'],
  [/Firefox\//, 'Firefox'],
  [/Chrome\/|Chromium\//, 'Chrome'],
  [/Safari\//, 'Safari'],
];
const SYSTEMS: readonly [RegExp, string][] = [
  [/Android/, 'Android'],
  [/iPhone|iPad/, 'iOS'],
  [/Windows/, 'Windows'],
  [/Mac OS X/, 'macOS'],
  [/Linux/, 'Linux'],
];

const find = (agent: string, among: readonly [RegExp, string][]): string | undefined => among.find(([sign]) => sign.test(agent))?.[1];

/** `Firefox on Linux`; what is not known is shown as it came. */
export function browserOf(agent: string): string {
  const [name, system] = [find(agent, NAMES), find(agent, SYSTEMS)];
  return name ? (system ? `${name} on ${system}` : name) : agent || 'Unknown';
}
