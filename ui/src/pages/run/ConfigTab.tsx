// The spec of the run as YAML.
import { IconCopy } from '@tabler/icons-react';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { stringify } from 'yaml';
import type { Run } from '../../api/queries';
import { YamlView } from '../../components/YamlView';

export default function ConfigTab({ run }: { run: Run }) {
  const [copied, setCopied] = useState(false);
  const text = stringify(run.spec);
  return (
    <section className="card">
      <div className="card-head" style={{ alignItems: 'center' }}>
        <h2>Config</h2>
        <span className="small muted">as it was launched</span>
        <span className="push" />
        <button
          className="btn compact"
          onClick={() =>
            void navigator.clipboard.writeText(text).then(() => {
              setCopied(true);
              setTimeout(() => setCopied(false), 2000);
            })
          }
        >
          <IconCopy size={14} stroke={1.75} /> {copied ? 'Copied' : 'Copy'}
        </button>
        <Link to="/launch" search={{ from: run.id }} className="btn compact">
          Launch like this
        </Link>
      </div>
      <YamlView text={text} label="Config as YAML" />
    </section>
  );
}
