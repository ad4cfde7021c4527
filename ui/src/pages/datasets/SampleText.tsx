// One document with its verdict: the figure next to its threshold, the deciding span marked, all figures beside.
import type { ReactNode } from 'react';
import type { Sample } from '../../api/queries';
import { PlainText } from '../../components/PlainText';
import { formatFigure } from '../../figures/numbers';
import { cutLines } from '../../figures/spans';
import { spellLanguage } from '../../figures/words';
import { ruleName } from './SampleList';

const MAX_LINES = 400;
const MAX_LINE_CHARS = 20_000;

function Verdict({ sample }: { sample: Sample }) {
  if (!sample.rule) return <p className="small is-completed">Kept: it passed every rule.</p>;
  return (
    <p className="small">
      Dropped by <b>{ruleName(sample.rule)}</b>
      {sample.figure != null && (
        <>
          {': '}
          <b className="is-not_recovered num">{formatFigure(sample.figure)}</b>
        </>
      )}
      {sample.threshold != null && <span className="muted num"> against a threshold of {formatFigure(sample.threshold)}</span>}
    </p>
  );
}

export function SampleText({ sample, children }: { sample: Sample; children?: ReactNode }) {
  const label = sample.rule ? ruleName(sample.rule) : 'span';
  const lines = cutLines(sample.text, sample.span ?? null);
  const origin = sample.url ?? sample.source;
  return (
    <article className="sample-text" aria-label="Document">
      <header>
        <div className="tiny muted clip" title={`${origin}\n${sample.document_id}`}>
          <PlainText text={origin} /> · {spellLanguage(sample.language)}
        </div>
        <Verdict sample={sample} />
        {children}
      </header>
      <div className="sample-lines" tabIndex={0} role="region" aria-label="Text of the document">
        {lines.slice(0, MAX_LINES).map((pieces, i) => (
          <div key={i} className="sample-line">
            <span className="sample-number mono" aria-hidden>
              {i + 1}
            </span>
            <span dir="auto">
              {pieces.map((piece, n) =>
                piece.marked ? (
                  <mark key={n} title={label}>
                    <PlainText text={piece.text.slice(0, MAX_LINE_CHARS)} />
                  </mark>
                ) : (
                  <PlainText key={n} text={piece.text.slice(0, MAX_LINE_CHARS)} />
                ),
              )}
            </span>
          </div>
        ))}
      </div>
      {(sample.truncated || lines.length > MAX_LINES) && <footer className="tiny muted">The document goes on; only a part of it is kept as a sample.</footer>}
    </article>
  );
}
