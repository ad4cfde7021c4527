// Schedules: what is launched when, what came of it, what was missed.
import { IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { schedulesQuery, type Schedule } from '../../api/schedules';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { Page } from '../../components/Shell';
import { Editor } from './Editor';
import { useLeaving } from '../../components/undo';
import { leavingKey, ScheduleRow } from './ScheduleRow';
import './schedules.css';

const CLI = "headrace schedules create nightly --preset pipeline --cron '0 2 * * *'";

export function SchedulesPage() {
  const { data, error, refetch } = useQuery(schedulesQuery);
  const { open } = useSearch({ from: '/app/schedules' });
  const leaving = useLeaving();
  const items = data?.items.filter((item) => !leaving.has(leavingKey(item)));
  const navigate = useNavigate({ from: '/schedules' });
  const [edited, setEdited] = useState<Schedule | 'new' | null>(null);
  const add = (
    <button className="btn primary" onClick={() => setEdited('new')}>
      <IconPlus size={14} stroke={1.75} /> New schedule…
    </button>
  );
  return (
    <Page crumbs={[{ label: 'Schedules' }]}>
      <div className="page-head">
        <h1>Schedules</h1>
        <span className="push" />
        {items && items.length > 0 && add}
      </div>
      {error && !data && <ProblemCard error={error} what="The schedules could not be loaded" safe="Runs go on, and nothing is lost: Prefect keeps the schedules." retry={() => void refetch()} />}
      {!data && !error && <SkeletonRows rows={3} />}
      {items?.length === 0 && (
        <Empty title="No schedules yet" todo="A schedule launches a preset or a spec at set times, such as each night." cli={CLI}>
          {add}
        </Empty>
      )}
      {items && items.length > 0 && (
        <div className="card table-wrap">
          <table className="table stacked schedules">
            <thead>
              <tr>
                <th>Active</th>
                <th>Schedule</th>
                <th>When</th>
                <th>Next</th>
                <th>Last</th>
                <th className="right">Missed</th>
                <th>
                  <span className="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            {items.map((schedule) => (
              <ScheduleRow
                key={schedule.deployment_id}
                schedule={schedule}
                open={open === schedule.name}
                onOpen={(now) => void navigate({ search: { open: now ? schedule.name : undefined }, replace: true })}
                onEdit={() => setEdited(schedule)}
              />
            ))}
          </table>
        </div>
      )}
      {edited && <Editor key={edited === 'new' ? '' : edited.name} schedule={edited === 'new' ? null : edited} onClose={() => setEdited(null)} />}
    </Page>
  );
}
