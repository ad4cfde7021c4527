// One rule: the histogram of its figure, the threshold tried, what follows from it, and the documents that it decides.
import { IconArrowBackUp } from '@tabler/icons-react';
import { useState } from 'react';
import type { DatasetVersion } from '../../api/queries';
import { Histogram } from '../../charts/Histogram';
import { Facts } from '../../components/Facts';
import { Segmented } from '../../components/Segmented';
import { addConsequences, consequenceOf, mergeHistograms, trimHistogram, writeDifference, type Consequence } from '../../figures/histograms';
import { formatBytes, formatCount, formatFigure, formatPercent, MISSING } from '../../figures/numbers';
import { ratesOf } from '../../figures/statistics';
import { canSwitchOff, valueIn, type Draft, type RuleFigures, type ThresholdGroup } from '../../figures/thresholds';
import { spellLanguage, spellRule } from '../../figures/words';
import { Decided } from './Decided';
import { LanguageTable } from './LanguageTable';
import { ThresholdInput } from './ThresholdInput';

interface Props {
  version: DatasetVersion;
  rule: RuleFigures;
  draft: Draft;
  language: string | undefined;
  onLanguage: (language: string | undefined) => void;
  onThreshold: (group: ThresholdGroup, value: number | null) => void;
}

function bytesDifference(result: Consequence): string {
  const difference = result.before.bytes - result.after.bytes;
  if (difference === 0) return '\u00b10';
  return `${difference > 0 ? '+' : '\u2212'}${formatBytes(Math.abs(difference))}`;
}

function Consequences({ version, result, value, language }: { version: DatasetVersion; result: Consequence; value: number | null; language: string | undefined }) {
  const rate = ratesOf(version.statistics).bytesPerToken(language);
  const tokens = rate ? (result.before.bytes - result.after.bytes) / rate : null;
  const moved = result.after.documents !== result.before.documents;
  const share = result.total.documents ? result.after.documents / result.total.documents : 0;
  return (
    <div className="consequences" aria-live="polite">
      <Facts
        facts={[
          { name: 'Reach the rule', value: formatCount(result.total.documents), note: 'documents' },
          { name: value === null ? 'Dropped, rule off' : `Dropped at ${formatFigure(value)}`, value: formatCount(result.after.documents), note: formatPercent(share) },
          { name: 'Change of dropped', value: writeDifference(result), note: moved ? (result.after.least === result.after.most ? 'exact' : 'estimated inside a bin') : undefined },
          { name: 'Change of kept text', value: bytesDifference(result), note: tokens === null || !moved ? undefined : `about ${formatCount(Math.round(Math.abs(tokens)))} tokens` },
        ]}
      />
    </div>
  );
}

/** The group that is looked at: the one of the chosen language, else the largest. */
function pickGroup(rule: RuleFigures, language: string | undefined): ThresholdGroup | undefined {
  const own = language === undefined ? undefined : rule.groups.find((group) => group.languages.includes(language));
  const size = (group: ThresholdGroup) => group.histograms.reduce((sum, item) => sum + item.documents.reduce((a, b) => a + b, 0), 0);
  return own ?? [...rule.groups].sort((a, b) => size(b) - size(a))[0];
}

export function RulePanel({ version, rule, draft, language, onLanguage, onThreshold }: Props) {
  const [log, setLog] = useState(false);
  const group = pickGroup(rule, language);
  const own = group?.histograms.find((item) => item.language === language);
  const whole = own ?? (group ? mergeHistograms(group.histograms) : null);
  if (!group || !whole) return null;
  const value = valueIn(draft, group);
  const shown = trimHistogram(whole, null);
  const results = group.histograms.map((item) => consequenceOf(item, value));
  const result = own ? consequenceOf(own, value) : addConsequences(results);
  const { group: filter, part } = spellRule(rule.rule);
  const verb = shown.bound === 'min' ? 'drops below' : 'drops above';
  const name = part ?? filter;
  return (
    <div className="stack">
      <section className="card" aria-label={`${filter}, ${name}`}>
        <div className="card-head rule-head">
          <h2>{name}</h2>
          <span className="small muted">
            {filter}, {verb} {formatFigure(value)}
            {rule.groups.length > 1 && ` in ${group.languages.map(spellLanguage).join(', ')}`}
          </span>
          <span className="push" />
          <ThresholdInput value={value} bins={shown} onChange={(next) => onThreshold(group, next)} />
          {canSwitchOff(rule.rule) && value !== null && (
            <button className="btn compact" onClick={() => onThreshold(group, null)}>
              Off
            </button>
          )}
          <button className="btn compact" disabled={value === group.threshold} onClick={() => onThreshold(group, group.threshold)}>
            <IconArrowBackUp size={14} stroke={1.75} aria-hidden /> Reset{group.threshold === null ? '' : ` to ${formatFigure(group.threshold)}`}
          </button>
        </div>
        <div className="rule-plot">
          <Histogram bins={shown} value={value} log={log} height={250} label={`Threshold of ${filter}, ${name.toLowerCase()}`} onChange={(next) => onThreshold(group, next)} />
        </div>
        <div className="card-body row wrap rule-tools">
          <LanguageSelect rule={rule} language={language} onLanguage={onLanguage} />
          <Segmented
            label="Height of the bars"
            value={log ? 'log' : 'linear'}
            options={[
              { value: 'linear', label: 'Linear' },
              { value: 'log', label: 'Log' },
            ]}
            onChange={(next) => setLog(next === 'log')}
          />
          <span className="tiny muted">Documents by figure. Drag the line, or focus it and use the arrow keys: Shift moves by ten.</span>
        </div>
        <Consequences version={version} result={result} value={value} language={own ? language : undefined} />
      </section>
      <LanguageTable results={rule.groups.flatMap((item) => item.histograms.map((one) => ({ group: item, result: consequenceOf(one, valueIn(draft, item)), value: valueIn(draft, item) })))} chosen={language} onChoose={onLanguage} />
      <Decided version={version} rule={rule.rule} bins={shown} languages={own ? [own.language] : group.languages} value={value} />
    </div>
  );
}

function LanguageSelect({ rule, language, onLanguage }: { rule: RuleFigures; language: string | undefined; onLanguage: (language: string | undefined) => void }) {
  const codes = rule.groups.flatMap((group) => group.languages).sort();
  if (codes.length < 2) return null;
  const known = language !== undefined && codes.includes(language) ? language : '';
  return (
    <select className="field-input scope-select" aria-label="Language of the histogram" value={known} onChange={(event) => onLanguage(event.target.value || undefined)}>
      <option value="">{rule.groups.length > 1 ? 'Largest group of languages' : 'All languages'}</option>
      {codes.map((code) => (
        <option key={code} value={code}>
          {code ? spellLanguage(code) : MISSING}
        </option>
      ))}
    </select>
  );
}
