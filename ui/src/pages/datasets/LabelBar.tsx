// Label mode: 0 to 5 by key or press, how far one is, and one step back.
import { IconArrowBackUp } from '@tabler/icons-react';
import { useEffect, useRef } from 'react';
import type { Sample } from '../../api/queries';
import { labelKey, SCORE_WORDS, SCORES } from '../../figures/labels';
import type { Labels } from './labelling';

export function ScoreMark({ score }: { score: number | undefined }) {
  if (score === undefined) return null;
  return (
    <span className={`score-mark ${score >= 3 ? 'good' : ''}`} title={`Labelled ${score}: ${SCORE_WORDS[score] ?? ''}`}>
      <span className="visually-hidden">labelled </span>
      {score}
    </span>
  );
}

const EDITABLE = new Set(['INPUT', 'TEXTAREA', 'SELECT']);

function useLabelKeys(onScore: (score: number) => void, onUndo: () => void) {
  const now = useRef({ onScore, onUndo });
  useEffect(() => {
    now.current = { onScore, onUndo };
  });
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target instanceof HTMLElement ? event.target : null;
      if (target && (EDITABLE.has(target.tagName) || target.getAttribute('role') === 'slider')) return;
      const meaning = labelKey(event.key, event.ctrlKey || event.metaKey || event.altKey);
      if (meaning === null) return;
      event.preventDefault();
      if (meaning === 'undo') now.current.onUndo();
      else now.current.onScore(meaning.score);
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, []);
}

export function LabelBar({ samples, current, labels, onScore, onUndo }: { samples: readonly Sample[]; current: Sample | undefined; labels: Labels; onScore: (score: number) => void; onUndo: () => void }) {
  useLabelKeys(onScore, onUndo);
  const own = current ? labels.scores.get(current.document_id) : undefined;
  const done = samples.filter((sample) => labels.scores.has(sample.document_id)).length;
  return (
    <div className="label-bar" role="group" aria-label="Label this document">
      <span className="small strong">How much is it worth learning from?</span>
      <span className="row label-scores">
        {SCORES.map((score) => (
          <button key={score} className="btn compact" aria-pressed={own === score} disabled={!current} onClick={() => onScore(score)} title={SCORE_WORDS[score]} aria-label={`${score}, ${SCORE_WORDS[score] ?? ''}`}>
            <kbd>{score}</kbd> <span className="only-wide">{SCORE_WORDS[score]}</span>
          </button>
        ))}
      </span>
      <button className="btn ghost compact" disabled={labels.steps.length === 0} onClick={onUndo}>
        <IconArrowBackUp size={14} stroke={1.75} aria-hidden /> Undo <kbd className="only-wide">u</kbd>
      </button>
      <span className="push row label-progress">
        <span className="label-track" aria-hidden>
          <i style={{ width: `${samples.length ? (done / samples.length) * 100 : 0}%` }} />
        </span>
        <span className="small muted num" role="status">
          {done} of {samples.length} here, {labels.scores.size} in all
        </span>
      </span>
      {labels.error !== null && labels.error !== undefined && (
        <p className="small is-failed" role="alert">
          The last label was not saved: {labels.error instanceof Error ? labels.error.message : String(labels.error)}
        </p>
      )}
    </div>
  );
}
