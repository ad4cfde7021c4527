// Samples on the border: the only ones that the decision changes.
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { sampleSetQuery } from '../../api/datasets';
import type { DatasetVersion } from '../../api/queries';
import { decidedBy, figureOf } from '../../figures/decided';
import { drops, type Histogram } from '../../figures/histograms';
import { formatFigure } from '../../figures/numbers';
import { SampleList } from './SampleList';
import { SampleText } from './SampleText';

const MOST = 40;

export function Decided({ version, rule, bins, languages, value }: { version: DatasetVersion; rule: string; bins: Histogram; languages: readonly string[]; value: number | null }) {
  const [chosen, setChosen] = useState<string | null>(null);
  const language = languages.length === 1 ? languages[0] : undefined;
  const dropped = useQuery(sampleSetQuery(version.digest, { rule, language, kept: false }));
  const kept = useQuery(sampleSetQuery(version.digest, { language, kept: true }));
  const all = [...(dropped.data ?? []), ...(kept.data ?? [])].filter((sample) => languages.includes(sample.language));
  const samples = decidedBy(all, rule, bins, value, MOST);
  const moved = value !== bins.threshold;
  const sample = samples.find((item) => item.document_id === chosen) ?? samples[0];
  const title = moved ? `Between ${bins.threshold === null ? 'off' : formatFigure(bins.threshold)} and ${value === null ? 'off' : formatFigure(value)}` : 'Next to the threshold';
  if (dropped.isPending || kept.isPending) return null;
  return (
    <section className="card samples" aria-label="Documents that it decides">
      <div className="card-head">
        <h2>{title}</h2>
        <span className="small muted">
          {moved ? 'the samples whose verdict would change' : 'the samples whose verdict is closest'}
          {samples.length > 0 && `, ${samples.length}${samples.length === MOST ? ' or more' : ''}`}
        </span>
      </div>
      {sample ? (
        <div className="sample-layout">
          <SampleList
            samples={samples}
            chosen={samples.indexOf(sample)}
            onChoose={(i) => setChosen(samples[i]?.document_id ?? null)}
            figureOf={(item) => figureOf(item, rule)}
            noteOf={(item) => {
              const figure = figureOf(item, rule);
              if (figure === null || !moved) return item.rule ? 'dropped' : 'kept';
              return drops(bins.bound, figure, value) ? 'would be dropped' : 'would be kept';
            }}
          />
          <SampleText key={sample.document_id} sample={sample} />
        </div>
      ) : (
        <p className="muted sample-empty">{moved ? 'None of the stored samples lies between the two. The counts above are of all documents.' : 'No sample with this figure is stored.'}</p>
      )}
    </section>
  );
}
