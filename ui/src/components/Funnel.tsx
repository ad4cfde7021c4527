// What each rule dropped. Widths are absolute: a rule's harm is seen before it is read.
import { useState, type ReactNode } from 'react';
import { funnelLanguages, funnelSources } from '../figures/funnel';
import { funnelRows, type FunnelView, type StageRow, type TokenRates } from '../figures/funnelRows';
import { formatCount, formatPercent, MISSING } from '../figures/numbers';
import { spellLanguage, spellOut, spellRule } from '../figures/words';
import './funnel.css';
import { Segmented } from './Segmented';

type Select = ((rule: string) => void) | undefined;

function Bar({ left, dropped, most, open }: { left: number; dropped: number; most: number; open: boolean }) {
  return (
    <span className={`share-track ${open ? 'open' : ''}`} aria-hidden>
      <i style={{ width: `${(left / most) * 100}%` }} />
      {dropped > 0 && <i className="dropped" style={{ width: `max(2px, ${(dropped / most) * 100}%)` }} />}
    </span>
  );
}

const amount = (value: number | null) => (value === null ? MISSING : formatCount(Math.round(value)));
const shareOf = (dropped: number | null, before: number | null) => (dropped && before ? formatPercent(dropped / before) : '');

function RuleName({ rule, pressed, onSelect }: { rule: string; pressed: boolean; onSelect: Select }) {
  const name = spellRule(rule).part ?? spellRule(rule).group;
  if (!onSelect) return name;
  return (
    <button className="text-button" onClick={() => onSelect(rule)} aria-pressed={pressed} title={name}>
      {name}
    </button>
  );
}

function StageRows({ stage, most, selected, onSelect }: { stage: StageRow; most: number; selected: string | undefined; onSelect: Select }) {
  const [unfolded, setUnfolded] = useState(false);
  const [only] = stage.rules;
  const own = stage.rules.length > 1 || (only !== undefined && only.rule !== stage.stage);
  const chosen = selected !== undefined && (selected === stage.stage || stage.rules.some((rule) => rule.rule === selected));
  const open = own && (unfolded || chosen);
  const press = () => (own ? setUnfolded(!open) : only && onSelect?.(only.rule));
  const pressable = own || (only !== undefined && onSelect !== undefined);
  return (
    <>
      <tr className={chosen ? 'chosen' : ''}>
        <td className="clip">
          {pressable ? (
            <button className="text-button" onClick={press} aria-expanded={own ? open : undefined} title={spellOut(stage.stage)}>
              {spellOut(stage.stage)}
            </button>
          ) : (
            spellOut(stage.stage)
          )}
        </td>
        <td className="funnel-cell">{stage.left !== null && <Bar left={stage.left} dropped={stage.dropped ?? 0} most={most} open={chosen} />}</td>
        <td className="num strong">{amount(stage.left)}</td>
        <td className="num">{stage.dropped ? amount(stage.dropped) : MISSING}</td>
        <td className="num muted">{shareOf(stage.dropped, stage.before)}</td>
      </tr>
      {open &&
        stage.rules.map((rule) => (
          <tr key={rule.rule} className={`funnel-rule ${rule.rule === selected ? 'selected' : ''}`}>
            <td colSpan={3}>
              <RuleName rule={rule.rule} pressed={rule.rule === selected} onSelect={onSelect} />
            </td>
            <td className="num">{amount(rule.dropped)}</td>
            <td className="num muted">{shareOf(rule.dropped, stage.before)}</td>
          </tr>
        ))}
    </>
  );
}

/** Languages and sources are counted apart, so one is chosen or the other. */
function Scope({ statistics, view, onView }: { statistics: unknown; view: FunnelView; onView: (view: FunnelView) => void }) {
  const codes = funnelLanguages(statistics);
  const sources = funnelSources(statistics);
  if (codes.length < 2 && sources.length < 2) return null;
  const value = view.source ? `source ${view.source}` : view.language ? `language ${view.language}` : '';
  const choose = (next: string) => {
    const [kind = '', name] = [next.slice(0, next.indexOf(' ')), next.slice(next.indexOf(' ') + 1)];
    onView({ ...view, language: kind === 'language' ? name : undefined, source: kind === 'source' ? name : undefined });
  };
  return (
    <select className="field-input scope-select" aria-label="Language or source" value={value} onChange={(event) => choose(event.target.value)}>
      <option value="">All languages and sources</option>
      {codes.length > 1 && (
        <optgroup label="Language">
          {codes.map((code) => (
            <option key={code} value={`language ${code}`}>
              {spellLanguage(code)}
            </option>
          ))}
        </optgroup>
      )}
      {sources.length > 1 && (
        <optgroup label="Source">
          {sources.map(({ source }) => (
            <option key={source} value={`source ${source}`}>
              {source}
            </option>
          ))}
        </optgroup>
      )}
    </select>
  );
}

function Foot({ rows, view }: { rows: StageRow[]; view: FunnelView }) {
  const first = rows.find((row) => row.before !== null);
  const last = rows.at(-1);
  if (!first || !last || last.left === null) return null;
  const whose = view.source ? ` of ${view.source}` : view.language ? ` in ${spellLanguage(view.language)}` : '';
  return (
    <p className="funnel-foot">
      Kept <b>{amount(last.left)}</b> of {amount(first.before)} {view.by === 'tokens' ? 'estimated tokens of text' : 'documents'}
      {whose}, <b>{formatPercent(last.left / (first.before || 1))}</b>.
      {view.by === 'tokens' && <span className="muted"> Estimated from bytes of text and the bytes a token takes in the kept documents.</span>}
      {view.source && <span className="muted"> Rules are not counted by source; what a step dropped is.</span>}
    </p>
  );
}

export const NO_RATES: TokenRates = { bytesPerToken: () => null, ruleBytes: () => null };

export function Funnel({ statistics, selected, onSelect, aside, view, onView, rates = NO_RATES }: {
  statistics: unknown;
  selected: string | undefined;
  onSelect: Select;
  aside?: ReactNode;
  view: FunnelView;
  onView: (view: FunnelView) => void;
  rates?: TokenRates;
}) {
  const tokensKnown = rates.bytesPerToken(undefined) !== null;
  const asked = { ...view, by: tokensKnown ? view.by : undefined };
  const rows = funnelRows(statistics, asked, rates) ?? [];
  const most = Math.max(1, ...rows.map((row) => row.before ?? row.left ?? 0));
  return (
    <section className="card" aria-label="Funnel">
      <div className="card-head funnel-head">
        <h2>What each rule dropped</h2>
        <span className="push" />
        {aside}
        {tokensKnown && (
          <Segmented
            label="Counted in"
            value={asked.by ?? 'documents'}
            options={[
              { value: 'documents', label: 'Documents' },
              { value: 'tokens', label: 'Tokens, est.' },
            ]}
            onChange={(by) => onView({ ...view, by: by === 'tokens' ? 'tokens' : undefined })}
          />
        )}
        <Scope statistics={statistics} view={view} onView={onView} />
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
          {rows.map((stage) => (
            <StageRows key={stage.stage} stage={stage} most={most} selected={selected} onSelect={onSelect} />
          ))}
        </tbody>
      </table>
      <Foot rows={rows} view={asked} />
    </section>
  );
}
