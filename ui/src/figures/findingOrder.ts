// Findings in the order in which a person wants them: not seen before seen, the worse first, the newer first.
interface Ordered {
  severity?: string | undefined;
  step: number;
  acknowledged_at?: string | null | undefined;
}

const WORSE = ['critical', 'warning', 'info'];

export function sortFindings<T extends Ordered>(findings: readonly T[]): T[] {
  const rank = (item: T) => (item.acknowledged_at == null ? 0 : WORSE.length) + Math.max(0, WORSE.indexOf(item.severity ?? 'warning'));
  return [...findings].sort((a, b) => rank(a) - rank(b) || b.step - a.step);
}
