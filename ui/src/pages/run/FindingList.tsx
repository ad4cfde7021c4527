// What detectors saw. Those that nobody has seen stand first; to acknowledge one can be undone at its place.
import { IconAlertCircle, IconAlertTriangle, IconInfoCircle } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { acknowledge } from '../../api/commands';
import { findingsQuery, keys, type FindingRecord, type InterventionRecord, type Run } from '../../api/queries';
import { When } from '../../components/When';
import { sortFindings } from '../../figures/findingOrder';
import { formatStep } from '../../figures/numbers';
import { spellOut } from '../../figures/words';

const ICONS = { critical: IconAlertTriangle, warning: IconAlertCircle, info: IconInfoCircle } as const;
const TONES = { critical: 'is-failed', warning: 'is-paused', info: 'muted' } as const;
const FIRST = 4;

function Item({ run, finding, answer, onOpen }: { run: Run; finding: FindingRecord; answer: InterventionRecord | undefined; onOpen: (id: string) => void }) {
  const client = useQueryClient();
  const seen = finding.acknowledged_at != null;
  const mark = useMutation({
    mutationFn: (next: boolean) => acknowledge(run.id, finding.id, next),
    onSettled: () => Promise.all([client.invalidateQueries({ queryKey: keys.findings(run.id) }), client.invalidateQueries({ queryKey: keys.attention })]),
  });
  const severity = finding.severity ?? 'warning';
  const Icon = ICONS[severity];
  return (
    <li>
      <span className={seen ? 'muted' : TONES[severity]} title={spellOut(severity)}>
        <Icon size={16} stroke={1.75} role="img" aria-label={spellOut(severity)} />
      </span>
      <div>
        <p className={seen ? 'seen' : ''}>{finding.message}</p>
        <span className="tiny muted">
          step {formatStep(finding.step)} · {spellOut(finding.detector)} · {seen ? `seen by ${finding.acknowledged_by ?? 'somebody'} ` : ''}
          <When time={seen ? finding.acknowledged_at : finding.time} />
          {answer && (
            <button className="link-button tiny finding-answer" onClick={() => onOpen(answer.id)}>
              What was done
            </button>
          )}
        </span>
        {mark.error && (
          <p className="small is-failed" role="alert">
            {mark.error.message}
          </p>
        )}
      </div>
      <button className="btn compact ghost" onClick={() => mark.mutate(!seen)} disabled={mark.isPending} aria-label={`${seen ? 'Undo' : 'Acknowledge'}: ${finding.message}`}>
        {seen ? 'Undo' : 'Acknowledge'}
      </button>
    </li>
  );
}

export function FindingList({ run, interventions, onOpen }: { run: Run; interventions: readonly InterventionRecord[]; onOpen: (id: string) => void }) {
  const { data: findings } = useQuery(findingsQuery(run.id));
  const [whole, setWhole] = useState(false);
  if (!findings?.length) return null;
  const sorted = sortFindings(findings);
  const open = sorted.filter((finding) => finding.acknowledged_at == null).length;
  const shown = whole ? sorted : sorted.slice(0, FIRST);
  return (
    <section className="card" aria-label="Findings">
      <div className="card-head">
        <h2>Findings</h2>
        <span className="small muted">{open ? `${open} not seen yet` : 'all seen'}</span>
      </div>
      <ul className="finding-list">
        {shown.map((finding) => (
          <Item key={finding.id} run={run} finding={finding} answer={interventions.find((item) => item.finding_id === finding.id)} onOpen={onOpen} />
        ))}
      </ul>
      {sorted.length > FIRST && (
        <button className="btn ghost compact" onClick={() => setWhole(!whole)} style={{ margin: '0 8px 8px' }}>
          {whole ? 'Fewer' : `All ${sorted.length}`}
        </button>
      )}
    </section>
  );
}
