// Tokens of programs, people and workers: made, shown once, revoked.
import { IconPlus } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { accessKeys, revokeToken, tokensQuery, type Token } from '../../api/access';
import { Confirm } from '../../components/Confirm';
import { Copied } from '../../components/Copied';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { When } from '../../components/When';
import { TokenForm } from './TokenForm';

function Revoke({ token, onClose }: { token: Token; onClose: () => void }) {
  const client = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => revokeToken(token.id),
    onSuccess: onClose,
    onSettled: () => client.invalidateQueries({ queryKey: accessKeys.all }),
  });
  return (
    <Confirm opened onClose={onClose} title="Revoke this token" verb="Revoke token" name={token.name} pending={revoke.isPending} onConfirm={() => revoke.mutate()}>
      <p>What uses it is refused from now on, and browsers that logged in by it are logged out. Runs go on.</p>
      {revoke.error && <p className="is-failed">{revoke.error.message}</p>}
    </Confirm>
  );
}

function Row({ token, onRevoke }: { token: Token; onRevoke: () => void }) {
  return (
    <tr>
      <td className="settings-name whole">
        <span className="clip strong" title={token.name}>
          {token.name}
        </span>
      </td>
      <td data-label="Role">{token.role}</td>
      <td data-label="Project">{token.project ?? 'all'}</td>
      <td data-label={token.user ? 'User' : undefined}>{token.user ?? ''}</td>
      <td className="num muted" data-label="Made">
        <When time={token.created_at} />
      </td>
      <td className="num muted" data-label="Last used">{token.last_used_at ? <When time={token.last_used_at} /> : 'never'}</td>
      <td className="num muted" data-label="Expires">{token.expires_at ? <time dateTime={token.expires_at}>{token.expires_at.slice(0, 10)}</time> : 'never'}</td>
      <td className="right">
        {token.created_by === 'settings' ? (
          <span className="tag" title="It comes from the service's settings: HEADRACE_ADMIN_TOKEN, HEADRACE_WORKER_TOKEN">
            from the settings
          </span>
        ) : (
          <button className="btn compact danger" aria-label={`Revoke ${token.name}…`} onClick={onRevoke}>
            Revoke…
          </button>
        )}
      </td>
    </tr>
  );
}

export function TokensTab() {
  const { data, error, refetch } = useQuery(tokensQuery);
  const [making, setMaking] = useState(false);
  const [secret, setSecret] = useState<{ name: string; token: string } | null>(null);
  const [revoking, setRevoking] = useState<Token | null>(null);
  return (
    <>
      <div className="row wrap">
        <p className="muted">A program or a worker shows its token with each call. It is kept as a hash: nobody can read it again.</p>
        <button className="btn primary push" aria-expanded={making} onClick={() => setMaking(!making)}>
          <IconPlus size={16} stroke={1.75} /> New token
        </button>
      </div>
      {making && (
        <TokenForm
          onMade={(made) => {
            setSecret(made);
            setMaking(false);
          }}
        />
      )}
      {secret && (
        <section className="card shown-once" aria-label="New token">
          <h2>{secret.name}: copy it now, it is not shown again</h2>
          <Copied text={secret.token} label="Token" />
          <div>
            <button className="btn compact" onClick={() => setSecret(null)}>
              I have it
            </button>
          </div>
        </section>
      )}
      {error && !data && <ProblemCard error={error} what="The tokens could not be loaded" retry={() => void refetch()} />}
      {!data && !error && <SkeletonRows rows={3} />}
      {data?.items.length === 0 && <Empty title="No tokens yet" todo="Make one for each program and worker, so that each can be revoked by itself." cli="headrace tokens create NAME --role operator" />}
      {data && data.items.length > 0 && (
        <div className="card table-wrap">
          <table className="table stacked">
            <thead>
              <tr>
                <th>Token</th>
                <th>Role</th>
                <th>Project</th>
                <th>User</th>
                <th className="right">Made</th>
                <th className="right">Last used</th>
                <th className="right">Expires</th>
                <th>
                  <span className="visually-hidden">Revoke</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {data.items.map((token) => (
                <Row key={token.id} token={token} onRevoke={() => setRevoking(token)} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {revoking && <Revoke token={revoking} onClose={() => setRevoking(null)} />}
    </>
  );
}
