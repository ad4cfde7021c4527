// Documents by their first line, with the figure that decided.
import { useEffect, useRef, type ReactNode } from 'react';
import type { Sample } from '../../api/queries';
import { PlainText } from '../../components/PlainText';
import { formatFigure } from '../../figures/numbers';
import { spellRule } from '../../figures/words';

export function titleOf(text: string): string {
  const line = text.split('\n').find((item) => item.trim().length > 0);
  return line?.trim().slice(0, 120) ?? '(no text)';
}

export const ruleName = (rule: string): string => {
  const { group, part } = spellRule(rule);
  return part ? `${group}: ${part.toLowerCase()}` : group;
};

interface Props {
  samples: Sample[];
  chosen: number;
  onChoose: (index: number) => void;
  figureOf?: (sample: Sample) => number | null;
  noteOf?: (sample: Sample) => string;
  markOf?: (sample: Sample) => ReactNode;
}

export function SampleList({ samples, chosen, onChoose, figureOf = (sample) => sample.figure ?? null, noteOf = (sample) => (sample.rule ? ruleName(sample.rule) : 'kept'), markOf }: Props) {
  const list = useRef<HTMLUListElement>(null);
  const last = useRef(chosen);
  useEffect(() => {
    if (last.current !== chosen) list.current?.querySelector('[aria-pressed="true"]')?.scrollIntoView({ block: 'nearest' });
    last.current = chosen;
  }, [chosen]);
  return (
    <ul className="sample-list" aria-label="Documents" ref={list}>
      {samples.map((sample, i) => {
        const figure = figureOf(sample);
        return (
          <li key={sample.document_id + String(sample.rule)}>
            <button aria-pressed={i === chosen} onClick={() => onChoose(i)}>
              <span className="row">
                <b className="clip" dir="auto">
                  <PlainText text={titleOf(sample.text)} />
                </b>
                <span className="push num">{figure === null ? '' : formatFigure(figure)}</span>
                {markOf?.(sample)}
              </span>
              <span className="row tiny muted">
                <span>{sample.language || 'unknown'}</span>
                <span className="clip">{noteOf(sample)}</span>
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
