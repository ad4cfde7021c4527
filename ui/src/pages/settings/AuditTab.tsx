// The audit log: who changed what, the newest first. Filters stand in the URL.
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { auditQuery, type AuditRecord } from '../../api/access';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { When } from '../../components/When';
import { changesOf } from '../../figures/changes';
import { spellOut } from '../../figures/words';

const MAX_CHARS = 60;
const cut = (text: string): string => (text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS - 1)}…` : text);
const route = getRouteApi('/app/settings');

function Row({ entry, onActor, onTarget }: { entry: AuditRecord; onActor: () => void; onTarget: () => void }) {
  const changes = changesOf(entry.before, entry.after);
  return (
    <tr>
      <td className="num muted" data-label="When">
        <When time={entry.time} />
      </td>
      <td className="settings-name" data-label="Who">
        <button className="text-button clip" title={entry.actor} onClick={onActor}>
          {entry.actor}
        </button>
      </td>
      <td data-label="What">{entry.action}</td>
      <td className="settings-name" data-label="Of">
        <button className="text-button mono clip" title={entry.target} onClick={onTarget}>
          {entry.target}
        </button>
      </td>
      <td className="audit-change whole" data-label={changes.length > 0 ? 'Change' : undefined}>
        {changes.map((change) => (
          <span key={change.field} title={[change.before, change.after].filter(Boolean).join(' → ')}>
            <span className="muted">{spellOut(change.field).toLowerCase()}</span> {change.before && change.after ? `${cut(change.before)} → ${cut(change.after)}` : change.before ? <s>{cut(change.before)}</s> : cut(change.after)}
          </span>
        ))}
      </td>
      <td className="muted" data-label={entry.project ? 'Project' : undefined}>{entry.project ?? ''}</td>
    </tr>
  );
}

export function AuditTab() {
  const { actor, target } = route.useSearch();
  const navigate = route.useNavigate();
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = useInfiniteQuery(auditQuery({ actor, target }));
  const filter = (changed: { actor?: string | undefined; target?: string | undefined }) => void navigate({ search: { tab: 'audit', actor, target, ...changed }, replace: true });
  const rows = data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <div className="row wrap">
        <input className="field-input audit-filter" aria-label="Who" placeholder="Who" defaultValue={actor} key={`a${actor ?? ''}`} onBlur={(e) => filter({ actor: e.target.value || undefined })} onKeyDown={(e) => e.key === 'Enter' && e.currentTarget.blur()} />
        <input className="field-input audit-filter" aria-label="Id of what was changed" placeholder="Id of what was changed" defaultValue={target} key={`t${target ?? ''}`} onBlur={(e) => filter({ target: e.target.value || undefined })} onKeyDown={(e) => e.key === 'Enter' && e.currentTarget.blur()} />
        {(actor || target) && (
          <button className="btn compact" onClick={() => filter({ actor: undefined, target: undefined })}>
            Show all
          </button>
        )}
      </div>
      {error && !data && <ProblemCard error={error} what="The audit log could not be loaded" safe="Changes are still written to it." retry={() => void refetch()} />}
      {!data && !error && <SkeletonRows rows={6} />}
      {data && rows.length === 0 && <Empty title={actor || target ? 'No change fits' : 'Nothing was changed yet'} todo="Each launch, command, token, label and deletion leaves a line here that nobody can alter." cli="headrace audit" />}
      {rows.length > 0 && (
        <div className="card table-wrap">
          <table className="table stacked">
            <thead>
              <tr>
                <th className="right">When</th>
                <th>Who</th>
                <th>What</th>
                <th>Of</th>
                <th>Change</th>
                <th>Project</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((entry) => (
                <Row key={entry.id} entry={entry} onActor={() => filter({ actor: entry.actor })} onTarget={() => filter({ target: entry.target })} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {hasNextPage && (
        <div>
          <button className="btn" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Show older
          </button>
        </div>
      )}
    </>
  );
}
