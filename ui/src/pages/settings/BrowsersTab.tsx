// Browsers that are logged in; each can be logged out from here.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { accessKeys, endSession, sessionsQuery, type BrowserSession } from '../../api/access';
import { ProblemCard, SkeletonRows } from '../../components/feedback';
import { When } from '../../components/When';
import { browserOf } from '../../figures/browsers';

function Row({ session }: { session: BrowserSession }) {
  const client = useQueryClient();
  const end = useMutation({ mutationFn: () => endSession(session.id), onSettled: () => client.invalidateQueries({ queryKey: accessKeys.all }) });
  const browser = browserOf(session.agent);
  return (
    <tr>
      <td className="settings-name">
        <span className="clip strong" title={session.agent}>
          {browser}
        </span>
      </td>
      <td>{session.name}</td>
      <td className="num muted" data-label="Logged in">
        <When time={session.created_at} />
      </td>
      <td className="num muted" data-label="Last seen">
        <When time={session.last_seen_at ?? session.created_at} />
      </td>
      <td className="right">
        {session.current ? (
          <span className="tag">this one</span>
        ) : (
          <button className="btn compact danger" aria-label={`Log out ${browser} of ${session.name}`} onClick={() => end.mutate()}>
            Log out
          </button>
        )}
      </td>
    </tr>
  );
}

export function BrowsersTab() {
  const { data, error, refetch } = useQuery(sessionsQuery);
  return (
    <>
      <p className="muted">Each login lasts 30 days. One that you don&apos;t know: log it out, and revoke the token that made it.</p>
      {error && !data && <ProblemCard error={error} what="The logins could not be loaded" retry={() => void refetch()} />}
      {!data && !error && <SkeletonRows rows={2} />}
      {data && (
        <div className="card table-wrap">
          <table className="table stacked">
            <thead>
              <tr>
                <th>Browser</th>
                <th>Who</th>
                <th className="right">Logged in</th>
                <th className="right">Last seen</th>
                <th>
                  <span className="visually-hidden">Log out</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {data.items.map((session) => (
                <Row key={session.id} session={session} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
