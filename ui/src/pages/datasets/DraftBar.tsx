// Thresholds tried so far: what changes in the recipe, as YAML to copy, or as a run to launch.
import { IconCheck, IconCopy, IconRocket } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { stringify } from 'yaml';
import { runQuery, type DatasetVersion } from '../../api/queries';
import { YamlView } from '../../components/YamlView';
import { applyDraft, fragmentOf, writeDraft, type Draft } from '../../figures/thresholds';

type Spec = Record<string, unknown>;
const isSpec = (value: unknown): value is Spec => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The recipe of the version: that of its run, which names its input too, else what its lineage keeps. */
function useRecipe(version: DatasetVersion): { recipe: Spec | null; runId: string | null } {
  const run = useQuery({ ...runQuery(version.run_id ?? ''), enabled: version.run_id !== null });
  if (run.data && run.data.kind === 'curation') return { recipe: run.data.spec, runId: run.data.id };
  const kept = version.lineage['recipe'];
  return { recipe: isSpec(kept) ? kept : null, runId: null };
}

function CopyButton({ text }: { text: string }) {
  const [state, setState] = useState<'idle' | 'copied' | 'refused'>('idle');
  const copy = () =>
    void navigator.clipboard
      .writeText(text)
      .then(() => setState('copied'))
      .catch(() => setState('refused'))
      .then(() => setTimeout(() => setState('idle'), 2500));
  return (
    <button className="btn compact" onClick={copy} aria-live="polite">
      {state === 'copied' ? <IconCheck size={14} stroke={1.75} aria-hidden /> : <IconCopy size={14} stroke={1.75} aria-hidden />}
      {state === 'copied' ? 'Copied' : state === 'refused' ? 'Select it below' : 'Copy YAML'}
    </button>
  );
}

export default function DraftBar({ version, draft, onClear }: { version: DatasetVersion; draft: Draft; onClear: () => void }) {
  const { recipe, runId } = useRecipe(version);
  const count = Object.keys(draft).length;
  const applied = recipe ? applyDraft(recipe, draft) : null;
  const fragment = recipe && applied ? fragmentOf(recipe, applied.spec) : {};
  const text = stringify(fragment);
  const placed = applied !== null && applied.unplaced.length < count;
  return (
    <section className="card draft-bar" aria-label="Thresholds tried">
      <div className="card-head draft-head">
        <h2>{count === 1 ? '1 threshold tried' : `${count} thresholds tried`}</h2>
        <span className="small muted">v{version.version} stays as it is; a launch makes a new version</span>
        <span className="push" />
        <button className="btn ghost compact" onClick={onClear}>
          Reset all
        </button>
        {placed && <CopyButton text={text} />}
        {runId && placed && (
          <Link to="/launch" search={{ from: runId, draft: writeDraft(draft) }} className="btn primary compact">
            <IconRocket size={14} stroke={1.75} aria-hidden /> Launch with these
          </Link>
        )}
      </div>
      {placed && <YamlView text={text} label="What changes in the recipe" />}
      {applied && applied.unplaced.length > 0 && <p className="small muted draft-note">The recipe has no field for {applied.unplaced.join(', ')}: it can be looked at here, not launched.</p>}
      {!recipe && <p className="small muted draft-note">The recipe of this version is not known, so there is nothing to copy or to launch.</p>}
      {recipe && !runId && <p className="small muted draft-note">Its run is gone: copy the lines into a recipe of your own.</p>}
    </section>
  );
}
