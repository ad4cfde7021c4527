// Two documents of a cluster beside one another, words that the other has not marked.
import { useMemo } from 'react';
import type { Cluster, ClusterMember } from '../../api/curation';
import { PlainText } from '../../components/PlainText';
import { formatCount, formatPercent } from '../../figures/numbers';
import { diffWords, type Word } from '../../figures/wordDiff';

function Words({ words, side }: { words: Word[]; side: 'kept' | 'dropped' }) {
  return (
    <>
      {words.map((word, i) =>
        word.own && word.text.trim() !== '' ? (
          <mark key={i} className={side} title={side === 'kept' ? 'only in the kept one' : 'only in the dropped one'}>
            <PlainText text={word.text} />
          </mark>
        ) : (
          <PlainText key={i} text={word.text} />
        ),
      )}
    </>
  );
}

function Side({ member, words, side }: { member: ClusterMember; words: Word[]; side: 'kept' | 'dropped' }) {
  const origin = member.url ?? member.source;
  return (
    <article className="cluster-side" aria-label={side === 'kept' ? 'Kept document' : 'Dropped document'}>
      <header className="small">
        <b className={side === 'kept' ? 'is-completed' : 'is-not_recovered'}>{side === 'kept' ? 'Kept' : 'Dropped'}</b>
        {side === 'dropped' && member.similarity !== null && <span className="num strong"> {formatPercent(member.similarity)} alike</span>}
        <div className="tiny muted clip" title={`${origin}\n${member.document_id}`}>
          <PlainText text={origin} />
        </div>
      </header>
      <div className="cluster-text" dir="auto" tabIndex={0} role="region" aria-label={side === 'kept' ? 'Text of the kept document' : 'Text of the dropped document'}>
        <Words words={words} side={side} />
        {member.truncated && <p className="tiny muted">The document goes on.</p>}
      </div>
    </article>
  );
}

function Sides({ kept, dropped }: { kept: ClusterMember; dropped: ClusterMember }) {
  const [left, right] = useMemo(() => diffWords(kept.text, dropped.text), [kept.text, dropped.text]);
  return (
    <div className="cluster-sides">
      <Side member={kept} words={left} side="kept" />
      <Side member={dropped} words={right} side="dropped" />
    </div>
  );
}

export function SideBySide({ cluster, members, chosen, onChoose }: { cluster: Cluster; members: ClusterMember[]; chosen: number; onChoose: (index: number) => void }) {
  const [first, ...others] = members;
  const other = others[chosen];
  if (!first) return null;
  return (
    <div className="cluster-body">
      <div className="cluster-head row wrap">
        <span className="small">
          <b className="num">{formatCount(cluster.size)}</b> documents are one cluster, <b className="num">{formatCount(cluster.size - 1)}</b> of them dropped.
        </span>
        {others.length > 1 && (
          <span className="seg push" role="group" aria-label="Dropped document">
            {others.map((member, i) => (
              <button key={member.document_id} aria-pressed={i === chosen} onClick={() => onChoose(i)} title={member.url ?? member.source}>
                {member.similarity === null ? i + 1 : formatPercent(member.similarity, 0)}
              </button>
            ))}
          </span>
        )}
        {cluster.size > members.length && <span className="tiny muted">{members.length} of them are kept to look at</span>}
      </div>
      {other ? <Sides kept={first} dropped={other} /> : <Side member={first} words={[{ text: first.text, own: false }]} side="kept" />}
    </div>
  );
}
