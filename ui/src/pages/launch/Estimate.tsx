// What the spec would take, asked anew when typing rests.
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { estimateQuery } from '../../api/queries';
import { Facts, type Fact } from '../../components/Facts';
import { formatBytes, formatCount, formatFigure, MISSING, THIN } from '../../figures/numbers';
import { formatDuration } from '../../figures/time';

const REST_MS = 400;
const SOURCES = { request: 'as asked', dataset: 'of the dataset', pipeline: 'of the pipeline’s tokenizer', default: 'assumed: the spec names no dataset' } as const;

function useRested(text: string): string {
  const [rested, setRested] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setRested(text), REST_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return rested;
}

export function Estimate({ spec, valid }: { spec: Record<string, unknown>; valid: boolean }) {
  const text = useRested(JSON.stringify(spec));
  const kind = String(spec['kind']);
  const trains = kind === 'training' || kind === 'pipeline';
  const estimate = useQuery({ ...estimateQuery(text), enabled: trains && valid, placeholderData: keepPreviousData });
  if (!trains) return null;
  const found = estimate.data?.training;
  const facts: Fact[] = [
    { name: 'Parameters', value: formatCount(found?.num_parameters) },
    { name: 'Tokens', value: formatCount(found?.num_tokens) },
    { name: 'FLOPs', value: found ? found.total_flops.toExponential(2).replace('e+', 'e') : MISSING },
    { name: 'Time', value: formatDuration(found?.training_seconds) },
    { name: 'Memory', value: formatBytes(found?.memory_bytes) },
    { name: 'Checkpoint', value: formatBytes(found?.checkpoint_bytes) },
    { name: 'Cache', value: formatBytes(found?.cache_bytes) },
    { name: 'Decoding', value: found ? `${formatFigure(Number((1000 * found.decode_seconds_per_token).toPrecision(3)))}${THIN}ms` : MISSING, note: 'a token' },
  ];
  return (
    <section className="card launch-estimate" aria-label="Estimate" aria-busy={estimate.isFetching}>
      <div className="card-head">
        <h2>{kind === 'pipeline' ? 'Its training would take' : 'It would take'}</h2>
      </div>
      {estimate.error && !found ? <p className="muted small launch-same">No estimate: {estimate.error.message}</p> : <Facts facts={facts} />}
      {found && estimate.data && (
        <p className="muted small launch-same">
          Vocabulary {formatCount(estimate.data.vocab_size)}, {SOURCES[estimate.data.vocab_source]}. Speed: {found.calibration.source}.
        </p>
      )}
    </section>
  );
}
