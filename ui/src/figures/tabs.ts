// Which tabs a run has, in their order; the first one opens.
export type TabName = 'curves' | 'stages' | 'funnel' | 'scores' | 'summary' | 'log' | 'events' | 'config' | 'artifacts';

const LABELS: Record<TabName, string> = {
  curves: 'Curves',
  stages: 'Stages',
  funnel: 'Funnel',
  scores: 'Scores',
  summary: 'Summary',
  log: 'Log',
  events: 'Events',
  config: 'Config',
  artifacts: 'Artifacts',
};

const FIRST: Record<string, TabName[]> = {
  training: ['curves', 'summary'],
  curation: ['funnel', 'summary'],
  evaluation: ['scores', 'summary'],
  pipeline: ['stages', 'summary'],
  quality: ['summary'],
  ablation: ['summary', 'stages'],
  release: ['summary'],
};

export function tabsOf(kind: string, hasSeries: boolean): { name: TabName; label: string }[] {
  const first = FIRST[kind] ?? ['summary'];
  const middle: TabName[] = hasSeries && kind !== 'training' && kind !== 'pipeline' && kind !== 'ablation' ? ['curves'] : [];
  return [...first, ...middle, 'log' as const, 'events' as const, 'config' as const, 'artifacts' as const].map((name) => ({ name, label: LABELS[name] }));
}
