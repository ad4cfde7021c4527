// What each rule dropped. Widths are absolute: a rule's harm is seen before it is read.
import { useState, type ReactNode } from 'react';
import { funnelLanguages, readFunnel, type FunnelStage } from '../figures/funnel';
import { formatCount, formatPercent, MISSING } from '../figures/numbers';
import { spellLanguage, spellOut, spellRule } from '../figures/words';
import './funnel.css';

type Select = ((rule: string) => void) | undefined;

function Bar({ left, dropped, most, open }: { left: number; dropped: number; most: number; open: boolean }) {
  return (
    <span className={`funnel-bar ${open ? 'open' : ''}`} aria-hidden>
      <i style={{ width: `${(left / most) * 100}%` }} />
      {dropped > 0 && <i className="dropped" style={{ width: `max(2px, ${(dropped / most) * 100}%)` }} />}
    </span>
  );
}

function StageRows({ stage, most, before, selected, onSelect }: {
  stage: FunnelStage;
  most: number;
  before: number;
  selected: string | undefined;
  onSelect: Select;
}) {
  const [unfolded, setUnfolded] = useState(false);
  const own = stage.rules.length > 1 || (stage.rules[0] !== undefined && stage.rules[0].rule !== stage.stage);
  const chosen = selected !== undefined && (selected === stage.stage || stage.rules.some((rule) => rule.rule === selected));
  const open = own && (unfolded || chosen);
  const press = () => {
    if (own) setUnfolded(!open);
    if (stage.dropped > 0 && !open) onSelect?.(own ? (stage.rules[0]?.rule ?? stage.stage) : (stage.rules[0]?.rule ?? stage.stage));
  };
  return (
    <>
      <tr className={chosen ? 'chosen' : ''}>
        <td className="clip">
          {stage.dropped > 0 ? (
            <button className="funnel-name" onClick={press} aria-expanded={own ? open : undefined}>
              {spellOut(stage.stage)}
            </button>
          ) : (
            spellOut(stage.stage)
          )}
        </td>
        <td className="funnel-cell">
          <Bar left={stage.left} dropped={stage.dropped} most={most} open={chosen} />
        </td>
        <td className="num strong">{formatCount(stage.left)}</td>
        <td className="num">{stage.dropped > 0 ? formatCount(stage.dropped) : MISSING}</td>
        <td className="num muted">{stage.dropped > 0 ? formatPercent(stage.dropped / (before || 1)) : ''}</td>
      </tr>
      {open &&
        stage.rules.map((rule) => (
          <tr key={rule.rule} className={`funnel-rule ${rule.rule === selected ? 'selected' : ''}`}>
            <td colSpan={3}>
              {onSelect ? (
                <button className="funnel-name" onClick={() => onSelect(rule.rule)} aria-pressed={rule.rule === selected}>
                  {spellRule(rule.rule).part ?? spellRule(rule.rule).group}
                </button>
              ) : (
                (spellRule(rule.rule).part ?? spellRule(rule.rule).group)
              )}
            </td>
            <td className="num">{formatCount(rule.dropped)}</td>
            <td className="num muted">{formatPercent(rule.dropped / (before || 1))}</td>
          </tr>
        ))}
    </>
  );
}

export function Funnel({ statistics, selected, onSelect, aside }: { statistics: unknown; selected: string | undefined; onSelect: Select; aside?: ReactNode }) {
  const [language, setLanguage] = useState('');
  const stages = readFunnel(statistics, language || undefined);
  const codes = funnelLanguages(statistics);
  const most = Math.max(1, ...stages.map((stage) => stage.left + stage.dropped));
  const before = (i: number) => (i === 0 ? (stages[0]?.left ?? 0) + (stages[0]?.dropped ?? 0) : (stages[i]?.left ?? 0) + (stages[i]?.dropped ?? 0));
  const [first, last] = [stages[0], stages.at(-1)];
  const read = first ? first.left + first.dropped : 0;
  return (
    <section className="card" aria-label="Funnel">
      <div className="card-head" style={{ alignItems: 'center' }}>
        <h2>What each rule dropped</h2>
        <span className="push" />
        {aside}
        {codes.length > 1 && (
          <select className="field-input funnel-language" aria-label="Language" value={language} onChange={(event) => setLanguage(event.target.value)}>
            <option value="">All languages</option>
            {codes.map((code) => (
              <option key={code} value={code}>
                {spellLanguage(code)}
              </option>
            ))}
          </select>
        )}
      </div>
      <table className="table funnel-table">
        <thead>
          <tr>
            <th>Step</th>
            <th className="funnel-cell">
              <span className="visually-hidden">Share</span>
            </th>
            <th className="right">Left</th>
            <th className="right">Dropped</th>
            <th className="right">of input</th>
          </tr>
        </thead>
        <tbody>
          {stages.map((stage, i) => (
            <StageRows key={stage.stage} stage={stage} most={most} before={before(i)} selected={selected} onSelect={onSelect} />
          ))}
        </tbody>
      </table>
      {last && (
        <p className="funnel-foot">
          Kept <b>{formatCount(last.left)}</b> of {formatCount(read)} documents
          {language === '' ? '' : ` in ${spellLanguage(language)}`}, <b>{formatPercent(last.left / (read || 1))}</b>
          {last.bytes ? `, ${formatCount(last.bytes)} bytes of text` : ''}.
        </p>
      )}
    </section>
  );
}
