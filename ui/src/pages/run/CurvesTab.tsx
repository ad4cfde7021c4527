// Live curves with interventions; the open intervention stands beside them.
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect } from 'react';
import { interventionsQuery, seriesQuery, type Run } from '../../api/queries';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';
import { CurvesCard } from './CurvesCard';
import { FindingList } from './FindingList';
import { InterventionCard } from './InterventionCard';
import { InterventionList } from './InterventionList';
import { LogCard } from './LogCard';

export default function CurvesTab({ run }: { run: Run }) {
  const navigate = useNavigate({ from: '/runs/$runId' });
  const { iv } = useSearch({ from: '/app/runs/$runId' });
  const series = useQuery(seriesQuery(run.id));
  const { data: interventions = [] } = useQuery(interventionsQuery(run.id));
  const ordered = [...interventions].sort((a, b) => a.step - b.step);
  const openAt = iv === undefined ? -1 : ordered.findIndex((item) => item.id === iv);
  const open = ordered[openAt];
  const show = (id: string | undefined) => void navigate({ search: (old) => ({ ...old, iv: id }), replace: true });
  useEffect(() => {
    if (!open) return;
    const close = (event: KeyboardEvent) => event.key === 'Escape' && void navigate({ search: (old) => ({ ...old, iv: undefined }), replace: true });
    window.addEventListener('keydown', close);
    return () => window.removeEventListener('keydown', close);
  }, [open, navigate]);

  if (series.isPending) return <SkeletonRows rows={10} height={44} />;
  if (series.error && !series.data) return <ProblemCard error={series.error} what="The curves could not be loaded" safe="The run itself is not touched." retry={() => void series.refetch()} />;
  if (!series.data?.length) return <Empty title="No points yet" todo="Curves appear here with the first step the worker reports." />;
  return (
    <div className="curves-layout">
      <CurvesCard run={run} series={series.data} interventions={ordered} openId={open?.id} onOpen={show} />
      <div className="stack side-column">
        {open && (
          <InterventionCard
            key={open.id}
            run={run}
            intervention={open}
            index={openAt}
            total={ordered.length}
            onStep={(by) => show(ordered[(openAt + by + ordered.length) % ordered.length]?.id)}
            onClose={() => show(undefined)}
          />
        )}
        {run.kind === 'training' && <FindingList run={run} onOpen={show} interventions={ordered} />}
        {run.kind === 'training' && <InterventionList interventions={ordered} openId={open?.id} onOpen={show} />}
        <LogCard runId={run.id} />
      </div>
    </div>
  );
}
