// When: a cron expression or a distance, with what it means in words and times.
import { useQuery } from '@tanstack/react-query';
import { useDeferredValue } from 'react';
import { fieldsOf } from '../../api/client';
import { timingQuery, type Timing } from '../../api/schedules';
import { Field } from '../../components/Field';
import { Segmented } from '../../components/Segmented';
import { formatInZone } from '../../figures/time';

const EXAMPLES = [
  { cron: '0 2 * * *', label: 'Every night' },
  { cron: '0 8 * * 1-5', label: 'Weekday mornings' },
  { cron: '0 6 * * 1', label: 'Every Monday' },
  { cron: '0 * * * *', label: 'Every hour' },
] as const;
const UNITS = [
  { seconds: 60, label: 'minutes' },
  { seconds: 3600, label: 'hours' },
  { seconds: 86_400, label: 'days' },
] as const;
const ZONES = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')];

function Preview({ timing }: { timing: Timing }) {
  const { data, error } = useQuery(timingQuery(useDeferredValue(timing)));
  const problem = error ? (fieldsOf(error)[0]?.message ?? error.message) : null;
  return (
    <div className="timing-preview" role="status">
      {problem ? (
        <span className="is-failed">{problem}</span>
      ) : (
        <>
          <strong className="strong">{data?.says ?? '\u00a0'}</strong>
          <span className="small muted num">{data ? `Next ${data.next_runs.slice(0, 3).map((due) => formatInZone(due, timing.timezone ?? 'UTC')).join(' · ')}` : '\u00a0'}</span>
        </>
      )}
    </div>
  );
}

function Distance({ seconds, onChange }: { seconds: number; onChange: (seconds: number) => void }) {
  const unit = [...UNITS].reverse().find((one) => seconds % one.seconds === 0) ?? UNITS[0];
  return (
    <Field label="Every">
      {(described) => (
        <div className="row">
          <input {...described} className="field-input distance" type="number" min={1} step="any" value={seconds / unit.seconds} onChange={(e) => onChange(Math.max(60, Math.round(Number(e.target.value) * unit.seconds)))} />
          <select className="field-input distance-unit" aria-label="Unit" value={unit.seconds} onChange={(e) => onChange((seconds / unit.seconds) * Number(e.target.value))}>
            {UNITS.map((one) => (
              <option key={one.seconds} value={one.seconds}>
                {one.label}
              </option>
            ))}
          </select>
        </div>
      )}
    </Field>
  );
}

export function TimingFields({ timing, problemOf, onChange }: { timing: Timing; problemOf: (pointer: string) => string | undefined; onChange: (timing: Timing) => void }) {
  const zone = timing.timezone ?? 'UTC';
  const turn = (kind: Timing['kind']) => onChange(kind === 'cron' ? { kind: 'cron', cron: '0 2 * * *', timezone: zone } : { kind: 'interval', seconds: 21_600, timezone: zone });
  return (
    <fieldset className="timing">
      <legend className="small strong">When</legend>
      <Segmented
        label="Kind of timing"
        value={timing.kind ?? 'cron'}
        options={[
          { value: 'cron', label: 'By the clock' },
          { value: 'interval', label: 'At a distance' },
        ]}
        onChange={turn}
      />
      {timing.kind === 'interval' ? (
        <Distance seconds={timing.seconds} onChange={(seconds) => onChange({ ...timing, seconds })} />
      ) : (
        <>
          <Field label="Cron expression" hint="Minute, hour, day of month, month, day of week" problem={problemOf('/timing')}>
            {(described) => <input {...described} className="field-input mono" value={timing.cron} spellCheck={false} autoComplete="off" onChange={(e) => onChange({ ...timing, cron: e.target.value })} />}
          </Field>
          <div className="row wrap">
            {EXAMPLES.map((example) => (
              <button type="button" key={example.cron} className="btn compact" aria-pressed={timing.cron === example.cron} onClick={() => onChange({ ...timing, cron: example.cron })}>
                {example.label}
              </button>
            ))}
          </div>
        </>
      )}
      <Field label="Time zone">
        {(described) => (
          <select {...described} className="field-input" value={zone} onChange={(e) => onChange({ ...timing, timezone: e.target.value })}>
            {(ZONES.includes(zone) ? ZONES : [zone, ...ZONES]).map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        )}
      </Field>
      <Preview timing={timing} />
    </fieldset>
  );
}
