// One document with its verdict: the figure next to its threshold, the deciding span marked.
import type { Sample } from '../../api/queries';
import { formatFigure } from '../../figures/numbers';
import { cutLines } from '../../figures/spans';
import { spellLanguage, spellRule } from '../../figures/words';

const MAX_LINES = 400;

function Verdict({ sample }: { sample: Sample }) {
  if (!sample.rule) return <p className="small is-completed">Kept: it passed every rule.</p>;
  const { group, part } = spellRule(sample.rule);
  return (
    <p className="small">
      Dropped by <b>{part ? `${group}, ${part.toLowerCase()}` : group}</b>
      {sample.figure != null && (
        <>
          : <b className="is-not_recovered num">{formatFigure(sample.figure)}</b>
        </>
      )}
      {sample.threshold != null && (
        <span className="muted num">
          {' '}
          against a threshold of {formatFigure(sample.threshold)}
        </span>
      )}
    </p>
  );
}

export function SampleText({ sample }: { sample: Sample }) {
  const label = sample.rule ?? 'span';
  const lines = cutLines(sample.text, sample.span ?? null);
  return (
    <article className="sample-text" aria-label="Document">
      <header>
        <div className="tiny muted clip" title={sample.url ?? sample.source}>
          {sample.url ?? sample.source} · {spellLanguage(sample.language)}
        </div>
        <Verdict sample={sample} />
      </header>
      <div className="sample-lines" tabIndex={0} role="region" aria-label="Text of the document">
        {lines.slice(0, MAX_LINES).map((pieces, i) => (
          <div key={i} className="sample-line">
            <span className="sample-number mono" aria-hidden>
              {i + 1}
            </span>
            <span>
              {pieces.map((piece, n) =>
                piece.marked ? (
                  <mark key={n} title={label}>
                    {piece.text}
                  </mark>
                ) : (
                  <span key={n}>{piece.text}</span>
                ),
              )}
            </span>
          </div>
        ))}
      </div>
      {(sample.truncated || lines.length > MAX_LINES) && <footer className="tiny muted">The document goes on; only its beginning is kept as a sample.</footer>}
    </article>
  );
}
