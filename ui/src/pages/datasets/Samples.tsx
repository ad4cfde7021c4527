// Kept and dropped documents by rule. Text is always text, never HTML.
import { useHotkeys } from '@mantine/hooks';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useDebouncedValue } from '@mantine/hooks';
import { samplesQuery, type SampleFilter } from '../../api/datasets';
import type { Sample } from '../../api/queries';
import { ProblemCard, SkeletonRows } from '../../components/feedback';
import { SearchBox } from '../../components/SearchBox';
import { Segmented } from '../../components/Segmented';
import { funnelLanguages, readFunnel } from '../../figures/funnel';
import { formatFigure } from '../../figures/numbers';
import { spellLanguage, spellRule } from '../../figures/words';
import { SampleText } from './SampleText';

function titleOf(sample: Sample): string {
  const line = sample.text.split('\n').find((text) => text.trim().length > 0);
  return line?.trim().slice(0, 120) ?? '(no text)';
}

const ruleName = (rule: string): string => {
  const { group, part } = spellRule(rule);
  return part ? `${group}: ${part.toLowerCase()}` : group;
};

function Filters({ statistics }: { statistics: unknown }) {
  const search = useSearch({ from: '/app/datasets/$digest' });
  const navigate = useNavigate({ from: '/datasets/$digest' });
  const set = (change: Omit<SampleFilter, 'kept'> & { kept?: true | undefined }) => void navigate({ search: (old) => ({ ...old, ...change, sample: undefined }), replace: true });
  const rules = readFunnel(statistics).flatMap((stage) => stage.rules.map((rule) => rule.rule));
  const kept = search.kept === true;
  return (
    <div className="row wrap sample-filters">
      <Segmented
        label="Verdict"
        value={kept ? 'kept' : 'dropped'}
        options={[
          { value: 'dropped', label: 'Dropped' },
          { value: 'kept', label: 'Kept' },
        ]}
        onChange={(value) => set({ kept: value === 'kept' ? true : undefined, rule: undefined })}
      />
      {!kept && (
        <select className="field-input rule-select" aria-label="Rule" value={search.rule ?? ''} onChange={(event) => set({ rule: event.target.value || undefined })}>
          <option value="">All rules</option>
          {rules.map((rule) => (
            <option key={rule} value={rule}>
              {ruleName(rule)}
            </option>
          ))}
        </select>
      )}
      <select className="field-input rule-select" aria-label="Language of the samples" value={search.language ?? ''} onChange={(event) => set({ language: event.target.value || undefined })}>
        <option value="">All languages</option>
        {funnelLanguages(statistics).map((code) => (
          <option key={code} value={code}>
            {spellLanguage(code)}
          </option>
        ))}
      </select>
      <SearchBox label="Search in text and address" value={search.q ?? ''} onChange={(q) => set({ q: q || undefined })} />
    </div>
  );
}

function SampleList({ samples, chosen, onChoose }: { samples: Sample[]; chosen: number; onChoose: (index: number) => void }) {
  return (
    <ul className="sample-list" aria-label="Documents">
      {samples.map((sample, i) => (
        <li key={sample.document_id + String(sample.rule)}>
          <button aria-pressed={i === chosen} onClick={() => onChoose(i)}>
            <span className="row">
              <b className="clip">{titleOf(sample)}</b>
              <span className="push num">{sample.figure == null ? '' : formatFigure(sample.figure)}</span>
            </span>
            <span className="row tiny muted">
              <span>{sample.language || 'unknown'}</span>
              <span className="clip">{sample.rule ? ruleName(sample.rule) : 'kept'}</span>
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}

export function Samples({ digest, statistics }: { digest: string; statistics: unknown }) {
  const search = useSearch({ from: '/app/datasets/$digest' });
  const navigate = useNavigate({ from: '/datasets/$digest' });
  const [q] = useDebouncedValue(search.q, 250);
  const query = useInfiniteQuery(samplesQuery(digest, { rule: search.rule, language: search.language, kept: search.kept ?? false, q }));
  const samples = query.data?.pages.flatMap((page) => page.items) ?? [];
  const chosen = Math.min(search.sample ?? 0, Math.max(0, samples.length - 1));
  const choose = (index: number) => void navigate({ search: (old) => ({ ...old, sample: Math.max(0, Math.min(samples.length - 1, index)) }), replace: true });
  useHotkeys([
    ['j', () => choose(chosen + 1)],
    ['k', () => choose(chosen - 1)],
  ]);
  const sample = samples[chosen];
  return (
    <section className="card samples" aria-label="Samples">
      <div className="card-head" style={{ alignItems: 'center' }}>
        <h2>Samples</h2>
        <span className="small muted">{query.data ? `${samples.length}${query.hasNextPage ? ' and more' : ''}` : ''}</span>
      </div>
      <Filters statistics={statistics} />
      {query.error && !query.data && <ProblemCard error={query.error} what="The samples could not be loaded" retry={() => void query.refetch()} />}
      {query.isPending && <SkeletonRows rows={6} />}
      {query.data && samples.length === 0 && <p className="muted sample-empty">No document answers this filter. Choose another rule or language.</p>}
      {sample && (
        <div className="sample-layout">
          <div>
            <SampleList samples={samples} chosen={chosen} onChoose={choose} />
            {query.hasNextPage && (
              <button className="btn ghost compact more" onClick={() => void query.fetchNextPage()} disabled={query.isFetchingNextPage}>
                Load more
              </button>
            )}
          </div>
          <SampleText key={sample.document_id} sample={sample} />
        </div>
      )}
    </section>
  );
}
