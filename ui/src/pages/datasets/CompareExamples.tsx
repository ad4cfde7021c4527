// Documents that only one of two versions keeps.
import { useState } from 'react';
import type { Comparison } from '../../api/curation';
import { Segmented } from '../../components/Segmented';
import { SampleList } from './SampleList';
import { SampleText } from './SampleText';

type Side = 'only_left' | 'only_right';

export function CompareExamples({ examples, names }: { examples: Comparison['examples']; names: { left: string; right: string } }) {
  const [side, setSide] = useState<Side>(examples.only_right.length === 0 && examples.only_left.length > 0 ? 'only_left' : 'only_right');
  const [chosen, setChosen] = useState(0);
  if (examples.only_left.length + examples.only_right.length === 0) return null;
  const samples = examples[side];
  const sample = samples[Math.min(chosen, samples.length - 1)];
  return (
    <section className="card samples" aria-label="Examples">
      <div className="card-head sample-head">
        <h2>Examples</h2>
        <Segmented
          label="Kept only in"
          value={side}
          options={[
            { value: 'only_left', label: `Only in ${names.left}` },
            { value: 'only_right', label: `Only in ${names.right}` },
          ]}
          onChange={(next) => {
            setSide(next);
            setChosen(0);
          }}
        />
      </div>
      {sample ? (
        <div className="sample-layout">
          <SampleList samples={samples} chosen={samples.indexOf(sample)} onChoose={setChosen} />
          <SampleText key={sample.document_id} sample={sample} />
        </div>
      ) : (
        <p className="muted sample-empty">No example of these is stored.</p>
      )}
    </section>
  );
}
