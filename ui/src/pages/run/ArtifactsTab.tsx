// What the run left behind.
import { Link } from '@tanstack/react-router';
import type { Run } from '../../api/queries';
import { Empty } from '../../components/feedback';
import { formatBytes, formatStep, MISSING } from '../../figures/numbers';
import { spellOut } from '../../figures/words';

export function ArtifactsTab({ run }: { run: Run }) {
  if (run.artifacts.length === 0) return <Empty title="No artifacts yet" todo="Datasets, checkpoints, scores and released models stand here once they are whole." />;
  return (
    <div className="card table-wrap">
      <table className="table stacked">
        <thead>
          <tr>
            <th>Kind</th>
            <th>Name</th>
            <th className="right">Step</th>
            <th className="right">Files</th>
            <th className="right">Size</th>
            <th>Digest</th>
          </tr>
        </thead>
        <tbody>
          {run.artifacts.map((item) => (
            <tr key={`${item.kind}${item.digest}${item.name}`}>
              <td data-label="Kind">{spellOut(item.kind)}</td>
              <td className="strong" data-label="Name">
                {item.kind === 'dataset' ? (
                  <Link to="/datasets/$digest" params={{ digest: item.digest.replace('sha256:', '') }} className="link">
                    {item.name}
                  </Link>
                ) : (
                  item.name
                )}
              </td>
              <td className="num" data-label="Step">{item.step == null ? MISSING : formatStep(item.step)}</td>
              <td className="num" data-label="Files">{formatStep(item.files?.length ?? 0)}</td>
              <td className="num" data-label="Size">{formatBytes((item.files ?? []).reduce((sum, file) => sum + file.num_bytes, 0))}</td>
              <td className="mono muted" data-label="Digest" title={item.digest}>
                {item.digest.replace('sha256:', '').slice(0, 12)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
