// A schedule, new or edited: what it launches, when, and what happens to times that are missed.
import { Modal } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { parse, stringify } from 'yaml';
import { fieldsOf } from '../../api/client';
import { presetsQuery } from '../../api/queries';
import { createSchedule, editSchedule, readSchedule, schedulesKey, type Schedule, type Timing } from '../../api/schedules';
import { Field } from '../../components/Field';
import { Segmented } from '../../components/Segmented';
import { TimingFields } from './TimingFields';

interface Draft {
  name: string;
  description: string;
  what: 'preset' | 'spec';
  preset: string;
  overrides: string;
  spec: string;
  timing: Timing;
  catchUp: boolean;
}

const asYaml = (value: unknown): string => (value && Object.keys(value).length > 0 ? stringify(value) : '');

function draftOf(schedule: Schedule | null): Draft {
  const timing = schedule?.timing;
  return {
    name: schedule?.name ?? '',
    description: schedule?.description ?? '',
    what: schedule?.spec ? 'spec' : 'preset',
    preset: schedule?.preset ?? 'pipeline',
    overrides: asYaml(schedule?.overrides),
    spec: asYaml(schedule?.spec),
    timing: timing && timing.kind !== 'rrule' ? timing : { kind: 'cron', cron: '0 2 * * *', timezone: Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC' },
    catchUp: schedule?.catch_up ?? false,
  };
}

/** A mapping out of YAML; a thrown error says what is wrong. */
function mapping(text: string, what: string): Record<string, unknown> {
  const value: unknown = text.trim() ? parse(text) : {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${what} must be lines of "name: value"`);
  return value as Record<string, unknown>;
}

async function save(schedule: Schedule | null, draft: Draft, etag: string): Promise<Schedule> {
  const launches =
    draft.what === 'preset'
      ? { preset: draft.preset, overrides: mapping(draft.overrides, 'The changes'), spec: null }
      : { preset: null, overrides: {}, spec: mapping(draft.spec, 'The spec') };
  const body = { ...launches, description: draft.description, timing: draft.timing, catch_up: draft.catchUp };
  if (!schedule) return createSchedule({ ...body, name: draft.name, paused: false, missed_after_seconds: 900 });
  return editSchedule(schedule, etag, body);
}

export function Editor({ schedule, onClose }: { schedule: Schedule | null; onClose: () => void }) {
  const client = useQueryClient();
  const presets = useQuery(presetsQuery);
  const [draft, setDraft] = useState(() => draftOf(schedule));
  // the tag of what is edited: the service refuses when somebody else has changed it meanwhile
  const known = useQuery({ queryKey: [...schedulesKey, schedule?.deployment_id, 'etag'], queryFn: () => readSchedule(schedule ?? { name: '', project: '' }), enabled: schedule !== null, gcTime: 0, refetchOnWindowFocus: false, staleTime: Infinity });
  const saving = useMutation({
    mutationFn: () => save(schedule, draft, known.data?.etag ?? ''),
    onSuccess: onClose,
    onSettled: () => client.invalidateQueries({ queryKey: schedulesKey, exact: true }),
  });
  const problems = saving.error ? fieldsOf(saving.error) : [];
  const problemOf = (pointer: string) => problems.find((problem) => problem.pointer.startsWith(pointer))?.message;
  const set = (changes: Partial<Draft>) => {
    setDraft({ ...draft, ...changes });
    saving.reset();
  };
  const ready = draft.name !== '' && (schedule === null || known.data !== undefined) && !saving.isPending;
  const other = saving.error && !problems.some((problem) => ['/name', '/timing', '/overrides', '/spec', '/preset'].some((at) => problem.pointer.startsWith(at)));
  return (
    <Modal opened onClose={onClose} size="lg" title={schedule ? `Edit ${schedule.name}` : 'New schedule'} closeButtonProps={{ 'aria-label': 'Close' }}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) saving.mutate();
        }}
      >
        <Field label="Name" hint={schedule ? 'The name stays.' : 'Small letters, digits and dashes, such as nightly'} problem={problemOf('/name')}>
          {(described) => <input {...described} className="field-input" value={draft.name} disabled={schedule !== null} onChange={(e) => set({ name: e.target.value })} autoComplete="off" data-autofocus />}
        </Field>
        <Field label="What for">{(described) => <input {...described} className="field-input" value={draft.description} maxLength={1000} onChange={(e) => set({ description: e.target.value })} autoComplete="off" />}</Field>
        <fieldset className="timing">
          <legend className="small strong">Launches</legend>
          <Segmented
            label="What it launches"
            value={draft.what}
            options={[
              { value: 'preset', label: 'A preset' },
              { value: 'spec', label: 'A spec' },
            ]}
            onChange={(what) => set({ what })}
          />
          {draft.what === 'preset' ? (
            <>
              <Field label="Preset" problem={problemOf('/preset')}>
                {(described) => (
                  <select {...described} className="field-input" value={draft.preset} onChange={(e) => set({ preset: e.target.value })}>
                    {presets.data?.map((preset) => <option key={preset.name}>{preset.name}</option>) ?? <option>{draft.preset}</option>}
                  </select>
                )}
              </Field>
              <Field label="Changes as YAML" hint="Laid over the preset, such as name: nightly" problem={problemOf('/overrides')}>
                {(described) => <textarea {...described} className="field-input mono schedule-yaml" rows={3} spellCheck={false} value={draft.overrides} onChange={(e) => set({ overrides: e.target.value })} />}
              </Field>
            </>
          ) : (
            <Field label="Spec as YAML" problem={problemOf('/spec')}>
              {(described) => <textarea {...described} className="field-input mono schedule-yaml" rows={8} spellCheck={false} value={draft.spec} onChange={(e) => set({ spec: e.target.value })} />}
            </Field>
          )}
        </fieldset>
        <TimingFields timing={draft.timing} problemOf={problemOf} onChange={(timing) => set({ timing })} />
        <label className="row">
          <input type="checkbox" checked={draft.catchUp} onChange={(e) => set({ catchUp: e.target.checked })} />
          Launch missed times later, too
        </label>
        {other && (
          <p className="small is-failed" role="alert">
            {saving.error?.message}
          </p>
        )}
        <div className="row" style={{ justifyContent: 'flex-end' }}>
          <button type="button" className="btn" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="btn primary" aria-disabled={!ready}>
            {saving.isPending ? 'Saving' : schedule ? 'Save schedule' : 'Make schedule'}
          </button>
        </div>
      </form>
    </Modal>
  );
}
