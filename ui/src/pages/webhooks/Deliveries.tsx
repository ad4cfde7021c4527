// What a webhook was sent, the newest first.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { deliveriesQuery, retryDelivery, webhooksKey, type Delivery, type Webhook } from '../../api/webhooks';
import { ProblemCard, SkeletonRows } from '../../components/feedback';
import { Glyph, type GlyphName } from '../../components/Glyph';
import { Ahead, When } from '../../components/When';
import { MISSING, THIN } from '../../figures/numbers';
import { spellOut } from '../../figures/words';

const GLYPHS: Record<Delivery['state'], GlyphName> = { delivered: 'completed', failed: 'failed', pending: 'queued' };

export function Deliveries({ webhook }: { webhook: Webhook }) {
  const client = useQueryClient();
  const { data, error, refetch } = useQuery(deliveriesQuery(webhook.id));
  const again = useMutation({
    mutationFn: (id: number) => retryDelivery(webhook.id, id),
    onSettled: () => client.invalidateQueries({ queryKey: [...webhooksKey, webhook.id] }),
  });
  if (error && !data) return <ProblemCard error={error} what="The deliveries could not be loaded" retry={() => void refetch()} />;
  if (!data) return <SkeletonRows rows={2} />;
  if (data.items.length === 0) return <p className="small muted">Nothing was sent yet. “Send test” sends a notice of type test.</p>;
  return (
    <section aria-label={`Deliveries of ${webhook.name}`} className="table-wrap">
      <table className="table deliveries">
        <thead>
          <tr>
            <th>Delivery</th>
            <th>Event</th>
            <th className="right">Status</th>
            <th className="right only-wide">Tries</th>
            <th className="right only-wide">Took, ms</th>
            <th>Last try</th>
            <th>
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {data.items.map((row) => (
            <tr key={row.id}>
              <td>
                <span className={`row is-${GLYPHS[row.state]}`}>
                  <Glyph name={GLYPHS[row.state]} size={14} />
                  {spellOut(row.state)}
                </span>
                {row.error && (
                  <span className="small muted clip delivery-error" title={row.error}>
                    {row.error}
                  </span>
                )}
              </td>
              <td>{row.kind}</td>
              <td className="num">{row.status ?? MISSING}</td>
              <td className="num only-wide">{row.tries}</td>
              <td className="num only-wide">{row.seconds === null ? MISSING : Math.round(row.seconds * 1000)}</td>
              <td className="muted">
                <When time={row.tried_at} />
                {row.next_try_at && (
                  <>
                    , next{THIN}
                    <Ahead time={row.next_try_at} />
                  </>
                )}
              </td>
              <td className="right">
                {row.kind !== 'test' && (
                  <button className="btn compact" onClick={() => again.mutate(row.id)}>
                    Send again
                  </button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
