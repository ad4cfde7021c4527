// Each rule's figure over all documents that reached it; its threshold can be tried elsewhere.
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useMemo } from 'react';
import { histogramsQuery } from '../../api/curation';
import { ApiError } from '../../api/client';
import type { DatasetVersion } from '../../api/queries';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { readFunnel } from '../../figures/funnel';
import { addConsequences, consequenceOf } from '../../figures/histograms';
import { formatCount, formatPercent } from '../../figures/numbers';
import { groupThresholds, readDraft, setThreshold, valueIn, writeDraft, type Draft, type RuleFigures } from '../../figures/thresholds';
import { spellRule } from '../../figures/words';
import { RulePanel } from './RulePanel';
import './rules.css';
import { useDatasetSearch } from './search';

const DraftBar = lazy(() => import('./DraftBar')); // with the YAML writer, which nobody needs before a threshold is moved

function droppedOf(rule: RuleFigures, draft: Draft) {
  return addConsequences(rule.groups.flatMap((group) => group.histograms.map((histogram) => consequenceOf(histogram, valueIn(draft, group)))));
}

function RuleItem({ rule, draft, chosen, onChoose }: { rule: RuleFigures; draft: Draft; chosen: boolean; onChoose: () => void }) {
  const { part, group } = spellRule(rule.rule);
  const changed = rule.groups.some((item) => item.key in draft);
  const { after, before, total } = droppedOf(rule, draft);
  const off = rule.groups.every((item) => valueIn(draft, item) === null);
  const difference = after.documents - before.documents;
  return (
    <li>
      <button aria-pressed={chosen} onClick={onChoose}>
        <span className="clip">
          {changed && <span className="changed-dot" role="img" aria-label="changed" />}
          {part ?? group}
        </span>
        <span className="push num muted">{off ? 'off' : formatPercent(total.documents ? after.documents / total.documents : 0)}</span>
        {difference !== 0 && <b className={`num ${difference > 0 ? 'is-not_recovered' : 'is-recovered'}`}>{`${difference > 0 ? '+' : '\u2212'}${formatCount(Math.abs(difference))}`}</b>}
      </button>
    </li>
  );
}

function RuleList({ rules, draft, chosen, onChoose }: { rules: RuleFigures[]; draft: Draft; chosen: string; onChoose: (rule: string) => void }) {
  const byFilter = new Map<string, RuleFigures[]>();
  for (const rule of rules) {
    const { group } = spellRule(rule.rule);
    byFilter.set(group, [...(byFilter.get(group) ?? []), rule]);
  }
  return (
    <nav className="card rule-list" aria-label="Rules">
      <select className="field-input only-narrow" aria-label="Rule" value={chosen} onChange={(event) => onChoose(event.target.value)}>
        {rules.map((rule) => (
          <option key={rule.rule} value={rule.rule}>
            {Object.values(spellRule(rule.rule)).filter(Boolean).join(': ')}
          </option>
        ))}
      </select>
      {[...byFilter].map(([group, members]) => (
        <div key={group} className="only-wide">
          <h3>{group}</h3>
          <ul>
            {members.map((rule) => (
              <RuleItem key={rule.rule} rule={rule} draft={draft} chosen={rule.rule === chosen} onChoose={() => onChoose(rule.rule)} />
            ))}
          </ul>
        </div>
      ))}
      <p className="tiny muted only-wide">Share of the documents that reached the rule and are dropped by it.</p>
    </nav>
  );
}

/** In the order in which the stages judge. */
function inOrder(rules: RuleFigures[], version: DatasetVersion): RuleFigures[] {
  const stages = readFunnel(version.statistics).map((stage) => stage.stage);
  const place = (rule: RuleFigures) => stages.indexOf(rule.rule.split('.')[0] ?? '');
  return [...rules].sort((a, b) => place(a) - place(b));
}

/** The rule asked for, else the one that drops most. */
function openRule(rules: RuleFigures[], asked: string | undefined): RuleFigures | undefined {
  const most = (rule: RuleFigures) => droppedOf(rule, {}).before.documents;
  return rules.find((rule) => rule.rule === asked) ?? [...rules].sort((a, b) => most(b) - most(a))[0];
}

export default function RulesTab({ version }: { version: DatasetVersion }) {
  const [search, change] = useDatasetSearch();
  const { data, error, refetch } = useQuery(histogramsQuery(version.digest));
  const rules = useMemo(() => inOrder(groupThresholds(data ?? []), version), [data, version]);
  const draft = useMemo(() => readDraft(search.draft), [search.draft]);
  const absent = error instanceof ApiError && error.status === 404;
  if (error && !data && !absent) return <ProblemCard error={error} what="The figures of the rules could not be loaded" retry={() => void refetch()} />;
  if (!data && !absent) return <SkeletonRows rows={10} />;
  const rule = openRule(rules, search.rule);
  if (!rule) return <Empty title="No figures" todo="This version was made without histograms. Curate it anew to see what each threshold takes away." />;
  const known = Object.fromEntries(Object.entries(draft).filter(([key]) => rules.some((item) => item.groups.some((group) => group.key === key))));
  return (
    <div className="stack">
      {Object.keys(known).length > 0 && (
        <Suspense fallback={null}>
          <DraftBar version={version} draft={known} onClear={() => change({ draft: undefined })} />
        </Suspense>
      )}
      <div className="rules-layout">
        <RuleList rules={rules} draft={known} chosen={rule.rule} onChoose={(next) => change({ rule: next })} />
        <RulePanel
          key={rule.rule}
          version={version}
          rule={rule}
          draft={known}
          language={search.language}
          onLanguage={(language) => change({ language })}
          onThreshold={(group, value) => change({ rule: rule.rule, draft: writeDraft(setThreshold(known, group, value)) })}
        />
      </div>
      <p className="tiny muted">
        Documents are counted where they reach the rule: what a rule lets through is judged by the rules after it, and one that another rule took before never got here.
      </p>
    </div>
  );
}
