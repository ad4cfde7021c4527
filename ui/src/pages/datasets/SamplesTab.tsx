// Kept and dropped documents by rule, with all that was measured on them; label mode for the keyboard.
import { useDebouncedValue, useHotkeys } from '@mantine/hooks';
import { IconTags } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { histogramsQuery } from '../../api/curation';
import { samplesQuery } from '../../api/datasets';
import type { DatasetVersion, Sample } from '../../api/queries';
import { ProblemCard, SkeletonRows } from '../../components/feedback';
import { SearchBox } from '../../components/SearchBox';
import { Segmented } from '../../components/Segmented';
import { funnelLanguages, readFunnel } from '../../figures/funnel';
import { nextUnlabelled } from '../../figures/labels';
import { spellLanguage } from '../../figures/words';
import { FigureTable } from './FigureTable';
import { LabelBar, ScoreMark } from './LabelBar';
import { useLabels } from './labelling';
import { ruleName, SampleList } from './SampleList';
import { SampleText } from './SampleText';
import { useDatasetSearch } from './search';

function Filters({ statistics }: { statistics: unknown }) {
  const [search, change] = useDatasetSearch();
  const rules = readFunnel(statistics).flatMap((stage) => stage.rules.map((rule) => rule.rule));
  const verdict = search.verdict ?? 'dropped';
  const shown = search.rule && !rules.includes(search.rule) ? [search.rule, ...rules] : rules;
  return (
    <div className="row wrap sample-filters">
      <Segmented
        label="Verdict"
        value={verdict}
        options={[
          { value: 'dropped', label: 'Dropped' },
          { value: 'kept', label: 'Kept' },
          { value: 'all', label: 'All' },
        ]}
        onChange={(next) => change({ verdict: next === 'dropped' ? undefined : next, rule: next === 'dropped' ? search.rule : undefined, sample: undefined })}
      />
      {verdict === 'dropped' && (
        <select className="field-input rule-select" aria-label="Rule" value={search.rule ?? ''} onChange={(event) => change({ rule: event.target.value || undefined, sample: undefined })}>
          <option value="">All rules</option>
          {shown.map((rule) => (
            <option key={rule} value={rule}>
              {ruleName(rule)}
            </option>
          ))}
        </select>
      )}
      <select className="field-input rule-select" aria-label="Language of the samples" value={search.language ?? ''} onChange={(event) => change({ language: event.target.value || undefined, sample: undefined })}>
        <option value="">All languages</option>
        {funnelLanguages(statistics).map((code) => (
          <option key={code} value={code}>
            {spellLanguage(code)}
          </option>
        ))}
      </select>
      <SearchBox label="Search in text and address" value={search.q ?? ''} onChange={(q) => change({ q: q || undefined, sample: undefined })} />
      <button className="btn compact" aria-pressed={search.label === true} onClick={() => change({ label: search.label ? undefined : true })}>
        <IconTags size={14} stroke={1.75} aria-hidden /> Label
      </button>
    </div>
  );
}

/** The samples of the filter in the URL, and the chosen one. */
function useSamples(version: DatasetVersion) {
  const [search, change] = useDatasetSearch();
  const [q] = useDebouncedValue(search.q, 250);
  const verdict = search.verdict ?? 'dropped';
  const query = useInfiniteQuery(
    samplesQuery(version.digest, {
      rule: verdict === 'dropped' ? search.rule : undefined,
      language: search.language,
      kept: verdict === 'all' ? undefined : verdict === 'kept',
      q,
    }),
  );
  const samples: Sample[] = query.data?.pages.flatMap((page) => page.items as Sample[]) ?? [];
  const chosen = Math.min(search.sample ?? 0, Math.max(0, samples.length - 1));
  const choose = (index: number) => {
    if (index >= samples.length - 3 && query.hasNextPage && !query.isFetchingNextPage) void query.fetchNextPage();
    change({ sample: Math.max(0, Math.min(samples.length - 1, index)) });
  };
  return { query, samples, chosen, choose };
}

export default function SamplesTab({ version }: { version: DatasetVersion }) {
  const [search] = useDatasetSearch();
  const { query, samples, chosen, choose } = useSamples(version);
  const { data: histograms } = useQuery(histogramsQuery(version.digest));
  const labels = useLabels(version.digest);
  const labelling = search.label === true;
  const sample = samples[chosen];
  const score = (value: number) => {
    if (!sample) return;
    labels.set(sample.document_id, value);
    choose(nextUnlabelled(samples.map((item) => item.document_id), chosen, (id) => id === sample.document_id || labels.scores.has(id)));
  };
  const undo = () => {
    const id = labels.undo();
    const at = samples.findIndex((item) => item.document_id === id);
    if (at >= 0) choose(at);
  };
  useHotkeys([
    ['j', () => choose(chosen + 1)],
    ['k', () => choose(chosen - 1)],
  ]);
  return (
    <section className="card samples" aria-label="Samples">
      <div className="card-head sample-head">
        <h2>Samples</h2>
        <span className="small muted">{query.data ? `${samples.length ? `${chosen + 1} of ` : ''}${samples.length}${query.hasNextPage ? ' and more' : ''}` : ''}</span>
        <span className="push tiny muted only-wide">
          <kbd>j</kbd> <kbd>k</kbd> move
        </span>
      </div>
      <Filters statistics={version.statistics} />
      {labelling && <LabelBar samples={samples} current={sample} labels={labels} onScore={score} onUndo={undo} />}
      {query.error && !query.data && <ProblemCard error={query.error} what="The samples could not be loaded" retry={() => void query.refetch()} />}
      {query.isPending && <SkeletonRows rows={6} />}
      {query.data && samples.length === 0 && <p className="muted sample-empty">No document answers this filter. Choose another rule or language.</p>}
      {sample && (
        <div className="sample-layout with-figures">
          <div>
            <SampleList samples={samples} chosen={chosen} onChoose={choose} markOf={(item) => <ScoreMark score={labels.scores.get(item.document_id)} />} />
            {query.hasNextPage && (
              <button className="btn ghost compact more" onClick={() => void query.fetchNextPage()} disabled={query.isFetchingNextPage}>
                Load more
              </button>
            )}
          </div>
          <SampleText key={sample.document_id} sample={sample} />
          <FigureTable sample={sample} histograms={histograms ?? []} />
        </div>
      )}
    </section>
  );
}
