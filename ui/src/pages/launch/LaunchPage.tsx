// Launch: a preset, what differs from it, and one document behind form and YAML.
import { useQuery } from '@tanstack/react-query';
import { useSearch } from '@tanstack/react-router';
import { presetsQuery, runQuery, specSchemaQuery, type Preset } from '../../api/queries';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { Page } from '../../components/Shell';
import type { Schema } from '../../figures/schema';
import { applyDraft, readDraft } from '../../figures/thresholds';
import { Editor } from './Editor';
import './launch.css';
import { PresetPicker } from './PresetPicker';

export interface Base {
  name: string;
  kind: string;
  spec: Record<string, unknown>;
  /** The spec with changes that were asked for elsewhere. */
  changed?: Record<string, unknown>;
}

/** The preset asked for in the URL, a run to launch again, else the pipeline. */
function useBase(presets: Preset[] | undefined): { base: Base | null; missing: string | null } {
  const { preset, from, draft } = useSearch({ from: '/app/launch' });
  const run = useQuery({ ...runQuery(from ?? ''), enabled: from !== undefined });
  if (from !== undefined) {
    if (run.data) {
      const { name, kind, spec } = run.data;
      return { base: { name, kind, spec, ...(draft === undefined ? {} : { changed: applyDraft(spec, readDraft(draft)).spec }) }, missing: null };
    }
    return { base: null, missing: run.error ? `run ${from}` : null };
  }
  if (!presets) return { base: null, missing: null };
  const chosen = presets.find((item) => item.name === preset) ?? (preset === undefined ? (presets.find((item) => item.kind === 'pipeline') ?? presets[0]) : undefined);
  return { base: chosen ?? null, missing: chosen ? null : (preset ?? null) };
}

export function LaunchPage() {
  const presets = useQuery(presetsQuery);
  const schema = useQuery(specSchemaQuery);
  const { base, missing } = useBase(presets.data);
  const error = presets.error ?? schema.error;
  return (
    <Page crumbs={[{ label: 'Launch' }]}>
      <div className="page-head">
        <h1>Launch a run</h1>
      </div>
      {error && (
        <ProblemCard
          error={error}
          what="The presets could not be loaded"
          retry={() => {
            void presets.refetch();
            void schema.refetch();
          }}
        />
      )}
      {!error && presets.data && <PresetPicker presets={[...presets.data].sort((a, b) => Number(b.kind === 'pipeline') - Number(a.kind === 'pipeline'))} chosen={base?.name} />}
      {missing && <Empty title={`There is no ${missing}`} todo="Choose a preset above." />}
      {presets.data?.length === 0 && <Empty title="No presets" todo="The service ships none. Launch with a file of your own." cli="headrace launch spec.yaml" />}
      {!error && !missing && (!base || !schema.data) && presets.data?.length !== 0 && <SkeletonRows rows={8} height={40} />}
      {base && schema.data && <Editor key={`${base.kind}/${base.name}`} base={base} union={schema.data as Schema} />}
    </Page>
  );
}
