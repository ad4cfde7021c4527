// One item with what both did. Text of items is never HTML.
import type { ItemPair } from '../../api/evaluations';
import { pickOf, readItem, sharesOf } from '../../figures/answers';
import { formatFigure, formatPercent } from '../../figures/numbers';
import { Badge } from './Badge';

function Bar({ side, share, picked }: { side: 'a' | 'b'; share: number | null; picked: boolean }) {
  return (
    <span className="pair-bar">
      <Badge side={side} />
      {share !== null && (
        <>
          <span className="pair-track" aria-hidden>
            <i className={`fill-${side}`} style={{ width: `${share * 100}%` }} />
          </span>
          <span className="num small">{formatPercent(share, 0)}</span>
        </>
      )}
      {picked && <span className="small strong">picked</span>}
      <span className="visually-hidden">{picked ? `by ${side.toUpperCase()}` : `not by ${side.toUpperCase()}`}</span>
    </span>
  );
}

export function PairDetail({ pair }: { pair: ItemPair }) {
  const item = readItem(pair.a.data);
  const shares = { a: sharesOf(pair.a.data), b: sharesOf(pair.b.data) };
  const picks = { a: pickOf(pair.a.data), b: pickOf(pair.b.data) };
  return (
    <article className="pair-detail" aria-label="Item">
      <p className="tiny muted mono">{pair.item_id}</p>
      <p className="pair-context">{item.context}</p>
      <ol className="pair-choices">
        {item.choices.map((choice, i) => (
          <li key={i} className={choice.right ? 'right-choice' : ''}>
            <span className="row">
              <span className="tag num">{i + 1}</span>
              <span>{choice.text}</span>
              {choice.right && <b className="push small is-completed strong">right</b>}
            </span>
            <span className="pair-bars">
              <Bar side="a" share={shares.a?.[i] ?? null} picked={picks.a === i} />
              <Bar side="b" share={shares.b?.[i] ?? null} picked={picks.b === i} />
            </span>
          </li>
        ))}
      </ol>
      <p className="small muted">
        Score of A {formatFigure(pair.a.score)}, of B {formatFigure(pair.b.score)}.
      </p>
    </article>
  );
}
