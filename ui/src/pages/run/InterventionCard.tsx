// One intervention, read downwards: evidence, rule, action, outcome.
import { IconArrowLeft, IconArrowRight, IconX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { findingsQuery, type InterventionRecord, type Run } from '../../api/queries';
import { Sparkline } from '../../charts/Sparkline';
import { Skeleton } from '../../components/feedback';
import { isTerminal, OutcomeGlyph, OutcomePill } from '../../components/state';
import { When } from '../../components/When';
import { changesOf, evidenceFacts, evidenceSeries, spellAction, spellOutcome } from '../../figures/interventions';
import { formatStep } from '../../figures/numbers';
import { Approval } from '../../components/Approval';
import { spellOut } from '../../figures/words';
import { ReplayCurves } from './ReplayCurves';

function Part({ number, title, extra, children }: { number: number; title: string; extra?: ReactNode; children: ReactNode }) {
  return (
    <li className="iv-part">
      <span className="iv-number" aria-hidden>
        {number}
      </span>
      <div className="stack" style={{ gap: 4 }}>
        <div className="row">
          <h3>{title}</h3>
          {extra}
        </div>
        {children}
      </div>
    </li>
  );
}

function Evidence({ run, intervention }: { run: Run; intervention: InterventionRecord }) {
  const { data: findings } = useQuery(findingsQuery(run.id));
  const finding = findings?.find((item) => item.id === intervention.finding_id);
  const evidence = { ...finding?.evidence, ...intervention.evidence };
  const series = evidenceSeries(evidence);
  return (
    <>
      {!findings && <Skeleton width="80%" />}
      {finding && <p>{finding.message}</p>}
      <div className="row" style={{ alignItems: 'flex-start', gap: 14 }}>
        <dl className="pairs">
          {evidenceFacts(evidence).map((fact) => (
            <div key={fact.name}>
              <dt>{fact.name}</dt>
              <dd className="num">{fact.value}</dd>
            </div>
          ))}
          {finding && (
            <div>
              <dt>Seen by</dt>
              <dd>{spellOut(finding.detector)}</dd>
            </div>
          )}
        </dl>
        {series && <Sparkline values={series} width={104} height={36} label="The series around the finding" />}
      </div>
    </>
  );
}

function Action({ intervention }: { intervention: InterventionRecord }) {
  const changes = changesOf(intervention.before ?? {}, intervention.after ?? {});
  return (
    <>
      <p>{spellAction(intervention.action)}.</p>
      {changes.length > 0 && (
        <dl className="pairs">
          {changes.map((change) => (
            <div key={change.name}>
              <dt className="mono">{change.name}</dt>
              <dd className="num">
                {change.before} → {change.after}
              </dd>
            </div>
          ))}
        </dl>
      )}
      <span className="tiny muted">{formatStep(intervention.cost_steps ?? 0)} steps done again or left out</span>
    </>
  );
}

export function InterventionCard({ run, intervention, index, total, onStep, onClose }: {
  run: Run;
  intervention: InterventionRecord;
  index: number;
  total: number;
  onStep: (by: number) => void;
  onClose: () => void;
}) {
  const navigate = useNavigate({ from: '/runs/$runId' });
  const outcome = intervention.outcome ?? 'verifying';
  const from = Math.max(0, intervention.step - Math.max(20, (intervention.cost_steps ?? 0) * 2));
  const to = (intervention.outcome_step ?? intervention.step) + 20;
  return (
    <section className="card iv-card" aria-label={`Intervention at step ${intervention.step}`}>
      <div className="iv-head">
        <OutcomeGlyph outcome={outcome} size={16} />
        <div className="clip">
          <h2>Step {formatStep(intervention.step)}</h2>
          <span className="tiny muted">
            {index + 1} of {total} · {intervention.author === 'controller' ? 'automatic' : intervention.author} · <When time={intervention.time} />
          </span>
        </div>
        <span className="push" />
        {total > 1 && (
          <>
            <button className="btn ghost icon compact" aria-label="Previous intervention" onClick={() => onStep(-1)}>
              <IconArrowLeft size={14} stroke={1.75} />
            </button>
            <button className="btn ghost icon compact" aria-label="Next intervention" onClick={() => onStep(1)}>
              <IconArrowRight size={14} stroke={1.75} />
            </button>
          </>
        )}
        <button className="btn ghost icon compact" aria-label="Close the intervention" onClick={onClose}>
          <IconX size={14} stroke={1.75} />
        </button>
      </div>
      <ol className="iv-parts">
        <Part number={1} title="Evidence">
          <Evidence run={run} intervention={intervention} />
        </Part>
        <Part number={2} title="Rule">
          <code className="mono rule">{intervention.rule || 'asked for by a person'}</code>
        </Part>
        <Part number={3} title="Action">
          <Action intervention={intervention} />
        </Part>
        <Part number={4} title="Outcome" extra={<OutcomePill outcome={outcome} />}>
          <p>{spellOutcome(outcome, intervention.step, intervention.outcome_step)}</p>
          {outcome === 'proposed' && !isTerminal(run.state) && <Approval run={run} intervention={intervention} />}
          <ReplayCurves evidence={intervention.evidence ?? {}} />
        </Part>
      </ol>
      <div className="iv-foot">
        <button className="btn compact" onClick={() => void navigate({ search: (old) => ({ ...old, from, to }), replace: true })}>
          Zoom to it
        </button>
      </div>
    </section>
  );
}
