// The document against its preset, unchanged stretches folded.
import { useMemo, useState } from 'react';
import { stringify } from 'yaml';
import { Segmented } from '../../components/Segmented';
import { YamlLine, YamlView } from '../../components/YamlView';
import { diffLines, foldLines } from '../../figures/documents';

const CLASSES = { ' ': '', '+': 'plus', '-': 'minus' } as const;
const SIGNS = { ' ': '', '+': '+', '-': '\u2212' } as const;

function DiffView({ before, after }: { before: string; after: string }) {
  const lines = useMemo(() => foldLines(diffLines(before, after)), [before, after]);
  return (
    <div className="yaml-view mono" tabIndex={0} role="region" aria-label="Difference to the preset">
      {lines.map((line, i) =>
        'skipped' in line ? (
          <div key={i} className="diff-fold">
            {line.skipped} {line.skipped === 1 ? 'line' : 'lines'} the same
          </div>
        ) : (
          <div key={i} className={`diff-line ${CLASSES[line.sign]}`}>
            <span className="yaml-number">{line.number}</span>
            <span className="diff-sign">{SIGNS[line.sign]}</span>
            <span className="yaml-text">
              <YamlLine text={line.text} />
            </span>
          </div>
        ),
      )}
    </div>
  );
}

export function Difference({ before, after, name, changes }: { before: unknown; after: unknown; name: string; changes: number }) {
  const [view, setView] = useState<'difference' | 'yaml'>('difference');
  const [old, now] = useMemo(() => [stringify(before).trimEnd(), stringify(after).trimEnd()], [before, after]);
  return (
    <section className="card launch-diff" aria-label="Difference">
      <div className="card-head" style={{ alignItems: 'center' }}>
        <Segmented
          label="What is shown"
          value={view}
          options={[
            { value: 'difference', label: 'Difference to preset' },
            { value: 'yaml', label: 'YAML' },
          ]}
          onChange={setView}
        />
        <span className="small muted" role="status">
          {changes === 0 ? 'no changes' : changes === 1 ? '1 change' : `${changes} changes`}
        </span>
      </div>
      {view === 'yaml' ? (
        <YamlView text={now} label="The whole spec" />
      ) : changes === 0 ? (
        <p className="muted small launch-same">
          This is <b>{name}</b> as it ships. Every field you change stands here against it.
        </p>
      ) : (
        <DiffView before={old} after={now} />
      )}
    </section>
  );
}
