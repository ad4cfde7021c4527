// One schedule: its row, and opened under it what came of it and what is next.
import { Menu } from '@mantine/core';
import { IconChevronDown, IconChevronRight, IconDots, IconPencil, IconPlayerPlay, IconTrash } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { deleteSchedule, pauseSchedule, runSchedule, schedulesKey, type Occurrence, type Schedule } from '../../api/schedules';
import { Glyph, type GlyphName } from '../../components/Glyph';
import { Switch } from '../../components/Switch';
import { takeAway } from '../../components/undo';
import { Ahead, When } from '../../components/When';
import { MISSING } from '../../figures/numbers';
import { formatInZone } from '../../figures/time';
import { spellOut } from '../../figures/words';

const GLYPHS: Record<Occurrence['state'], GlyphName> = { launched: 'completed', missed: 'not_recovered', late: 'paused', waiting: 'queued', running: 'running', failed: 'failed', cancelled: 'cancelled' };
const NUM_COLUMNS = 7;

export const leavingKey = (schedule: Schedule): string => `schedule ${schedule.name}`;
const zoneOf = (schedule: Schedule): string => schedule.timing?.timezone ?? 'UTC';

function Became({ occurrence }: { occurrence: Occurrence }) {
  const glyph = GLYPHS[occurrence.state];
  return (
    <span className={`row is-${glyph}`}>
      <Glyph name={glyph} size={14} />
      {spellOut(occurrence.state)}
    </span>
  );
}

function History({ schedule }: { schedule: Schedule }) {
  const zone = zoneOf(schedule);
  return (
    <div className="schedule-more">
      <section aria-label={`Last times of ${schedule.name}`}>
        <h3>Last times</h3>
        {schedule.last_runs.length === 0 && <p className="small muted">It was not due yet.</p>}
        <ul>
          {schedule.last_runs.map((occurrence) => (
            <li key={occurrence.flow_run_id ?? occurrence.due_at} className="occurrence">
              <Became occurrence={occurrence} />
              <span className="num">{formatInZone(occurrence.due_at, zone)}</span>
              <span className="small muted clip" title={occurrence.detail}>
                {occurrence.run_id ? (
                  <Link className="link" to="/runs/$runId" params={{ runId: occurrence.run_id }}>
                    Open run
                  </Link>
                ) : (
                  occurrence.detail
                )}
                {occurrence.by_hand && ' by hand'}
              </span>
            </li>
          ))}
        </ul>
      </section>
      <section aria-label={`Next times of ${schedule.name}`}>
        <h3>Next times, {zone}</h3>
        <ul>
          {schedule.next_runs.map((due) => (
            <li key={due} className="num">
              {formatInZone(due, zone)}
            </li>
          ))}
        </ul>
        {schedule.next_runs.length === 0 && <p className="small muted">{schedule.paused ? 'None while it is paused.' : 'None.'}</p>}
      </section>
      <section aria-label={`Facts of ${schedule.name}`}>
        <h3>Launches</h3>
        <p>{schedule.preset ? `Preset ${schedule.preset}` : 'A spec of its own'}{Object.keys(schedule.overrides).length > 0 && ', with changes'}</p>
        <p className="small muted">{schedule.catch_up ? 'Missed times are launched late.' : 'Missed times are told and left out.'}</p>
        {schedule.num_more_timings > 0 && <p className="small muted">Prefect has {schedule.num_more_timings} more times for it.</p>}
        <p className="small muted">
          In Prefect: <code className="mono">launch/{schedule.name}</code>
        </p>
      </section>
    </div>
  );
}

export function ScheduleRow({ schedule, open, onOpen, onEdit }: { schedule: Schedule; open: boolean; onOpen: (open: boolean) => void; onEdit: () => void }) {
  const client = useQueryClient();
  const onSettled = () => client.invalidateQueries({ queryKey: schedulesKey });
  const pause = useMutation({ mutationFn: (paused: boolean) => pauseSchedule(schedule, paused), onSettled });
  const run = useMutation({ mutationFn: () => runSchedule(schedule), onSuccess: () => onOpen(true), onSettled });
  const remove = () => takeAway(leavingKey(schedule), `${schedule.name} launches nothing any more`, () => deleteSchedule(schedule).finally(onSettled));
  const last = schedule.last_runs[0];
  const failure = pause.error ?? run.error;
  return (
    <tbody>
      <tr>
        <td>
          <Switch label={`${schedule.name} is active`} on={!schedule.paused} words={['On', 'Paused']} pending={pause.isPending} onChange={(on) => pause.mutate(!on)} />
        </td>
        <td className="schedule-name whole">
          <button className="text-button row" aria-expanded={open} onClick={() => onOpen(!open)}>
            {open ? <IconChevronDown size={14} aria-hidden /> : <IconChevronRight size={14} aria-hidden />}
            <span className="clip">{schedule.name}</span>
            {schedule.kind && <span className="tag">{spellOut(schedule.kind)}</span>}
          </button>
          {schedule.description && (
            <span className="small muted clip schedule-about" title={schedule.description}>
              {schedule.description}
            </span>
          )}
          {failure && (
            <span className="small is-failed" role="alert">
              {failure.message}
            </span>
          )}
        </td>
        <td className="whole" data-label="When">
          {schedule.says} <span className="small muted">{zoneOf(schedule)}</span>
        </td>
        <td className="num schedule-next" data-label="Next">{schedule.paused ? <span className="muted">Paused</span> : <Ahead time={schedule.next_runs[0]} />}</td>
        <td data-label="Last">
          {last ? (
            <span className="row">
              <Became occurrence={last} />
              <span className="muted">
                <When time={last.due_at} />
              </span>
            </span>
          ) : (
            <span className="muted">{MISSING}</span>
          )}
        </td>
        <td className="num" data-label="Missed">{schedule.num_missed > 0 ? <span className="is-paused" title="Times of the last 30 days that launched nothing">{schedule.num_missed}</span> : <span className="muted">0</span>}</td>
        <td className="right">
          <Menu position="bottom-end" shadow="sm">
            <Menu.Target>
              <button className="btn ghost icon compact" aria-label={`More of ${schedule.name}`}>
                <IconDots size={16} stroke={1.75} />
              </button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item leftSection={<IconPlayerPlay size={14} />} onClick={() => run.mutate()}>
                Run now
              </Menu.Item>
              <Menu.Item leftSection={<IconPencil size={14} />} onClick={onEdit}>
                Edit…
              </Menu.Item>
              <Menu.Item color="red" leftSection={<IconTrash size={14} />} onClick={remove}>
                Delete
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </td>
      </tr>
      {open && (
        <tr>
          <td colSpan={NUM_COLUMNS} className="schedule-open whole">
            <History schedule={schedule} />
          </td>
        </tr>
      )}
    </tbody>
  );
}
