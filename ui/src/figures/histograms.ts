// What a threshold takes away, out of the histogram of a filter's figure.
// Bins of a lowest allowed figure hold [edge, next); those of a highest one (edge, next]: on an edge the count is exact.
import { formatCount } from './numbers';

export type Bound = 'min' | 'max';

export interface Histogram {
  /** `<filter kind>.<field of its spec>`. */
  rule: string;
  language: string;
  bound: Bound;
  /** The one in force; null: the rule was off, and its figure was measured all the same. */
  threshold: number | null;
  /** n + 1 ascending edges of n bins; the first and the last bin are open to their side. */
  edges: number[];
  documents: number[];
  bytes: number[];
}

export interface Amount {
  documents: number;
  bytes: number;
}

export interface Dropped extends Amount {
  /** Documents that are dropped for certain, and those that may be: equal when the threshold lies on an edge. */
  least: number;
  most: number;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

export function totalOf(histogram: Histogram): Amount {
  return { documents: sum(histogram.documents), bytes: sum(histogram.bytes) };
}

/** Share of the bin [low, high] that a threshold inside of it drops. */
function shareOfBin(bound: Bound, low: number, high: number, threshold: number): number {
  if (bound === 'max') return threshold <= low ? 1 : threshold >= high ? 0 : (high - threshold) / (high - low);
  return threshold <= low ? 0 : threshold >= high ? 1 : (threshold - low) / (high - low);
}

/** Documents and bytes under (`min`) or over (`max`) a threshold; inside a bin they are interpolated. Null drops nothing. */
export function dropOf(histogram: Histogram, threshold: number | null): Dropped {
  const dropped: Dropped = { documents: 0, bytes: 0, least: 0, most: 0 };
  if (threshold === null) return dropped;
  histogram.documents.forEach((documents, i) => {
    const share = shareOfBin(histogram.bound, histogram.edges[i] ?? 0, histogram.edges[i + 1] ?? 0, threshold);
    dropped.documents += share * documents;
    dropped.bytes += share * (histogram.bytes[i] ?? 0);
    if (share === 1) dropped.least += documents;
    if (share > 0) dropped.most += documents;
  });
  return { ...dropped, documents: Math.round(dropped.documents), bytes: Math.round(dropped.bytes) };
}

export interface Consequence {
  language: string;
  /** All that reached the rule. */
  total: Amount;
  before: Dropped;
  after: Dropped;
}

export function consequenceOf(histogram: Histogram, threshold: number | null): Consequence {
  return { language: histogram.language, total: totalOf(histogram), before: dropOf(histogram, histogram.threshold), after: dropOf(histogram, threshold) };
}

/** Several languages as one; the label names them all. */
export function addConsequences(all: readonly Consequence[], language = ''): Consequence {
  const none: Dropped = { documents: 0, bytes: 0, least: 0, most: 0 };
  const plus = (a: Dropped, b: Dropped): Dropped => ({
    documents: a.documents + b.documents,
    bytes: a.bytes + b.bytes,
    least: a.least + b.least,
    most: a.most + b.most,
  });
  return all.reduce<Consequence>(
    (total, one) => ({
      language,
      total: { documents: total.total.documents + one.total.documents, bytes: total.total.bytes + one.total.bytes },
      before: plus(total.before, one.before),
      after: plus(total.after, one.after),
    }),
    { language, total: { documents: 0, bytes: 0 }, before: none, after: none },
  );
}

const sameEdges = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((edge, i) => edge === b[i]);

/** What of a histogram lies between two values, its bins spread evenly. */
function amountIn(edges: readonly number[], values: readonly number[], from: number, to: number): number {
  return values.reduce((total, value, i) => {
    const [low, high] = [edges[i] ?? 0, edges[i + 1] ?? 0];
    const overlap = Math.min(high, to) - Math.max(low, from);
    return overlap > 0 && high > low ? total + (value * overlap) / (high - low) : total;
  }, 0);
}

/** The values over other edges; the outer bins are open and take what lies beyond. */
function rebin(edges: readonly number[], values: readonly number[], onto: readonly number[]): number[] {
  if (sameEdges(edges, onto)) return [...values];
  const last = onto.length - 2;
  return onto.slice(0, -1).map((edge, i) => amountIn(edges, values, i === 0 ? -Infinity : edge, i === last ? Infinity : (onto[i + 1] ?? edge)));
}

/** Histograms of one rule as one, over the edges of the largest. */
export function mergeHistograms(histograms: readonly Histogram[]): Histogram | null {
  const largest = [...histograms].sort((a, b) => totalOf(b).documents - totalOf(a).documents)[0];
  if (!largest) return null;
  const add = (pick: 'documents' | 'bytes') =>
    histograms
      .map((histogram) => rebin(histogram.edges, histogram[pick], largest.edges))
      .reduce((total, bins) => total.map((value, i) => value + (bins[i] ?? 0)), new Array<number>(largest.documents.length).fill(0));
  return { ...largest, language: '', documents: add('documents'), bytes: add('bytes') };
}

const MIN_BINS = 12;

/** Without the empty bins at both ends, so that the rest is seen; the threshold in force and a margin stay. */
export function trimHistogram(histogram: Histogram, also: number | null): Histogram {
  const { documents, edges } = histogram;
  const inside = (i: number) => [histogram.threshold, also].some((value) => value !== null && value >= (edges[i] ?? 0) && value <= (edges[i + 1] ?? 0));
  const used = documents.flatMap((count, i) => (count > 0 || inside(i) ? [i] : []));
  let [from, to] = [Math.max(0, (used[0] ?? 0) - 2), Math.min(documents.length, (used.at(-1) ?? documents.length) + 3)];
  while (to - from < Math.min(MIN_BINS, documents.length)) {
    if (to < documents.length) to++;
    else from--;
  }
  return { ...histogram, edges: edges.slice(from, to + 1), documents: documents.slice(from, to), bytes: histogram.bytes.slice(from, to) };
}

/** Would a document with this figure be dropped? */
export function drops(bound: Bound, figure: number, threshold: number | null): boolean {
  return threshold !== null && (bound === 'min' ? figure < threshold : figure > threshold);
}

/** `+41,280 (± 120)`: how sure a count is depends on whether the threshold lies on an edge of the bins. */
export function writeDifference(result: Consequence): string {
  const difference = result.after.documents - result.before.documents;
  const unsure = Math.max(result.after.most - result.after.documents, result.after.documents - result.after.least);
  const sign = difference > 0 ? '+' : difference < 0 ? '\u2212' : '\u00b1';
  return `${sign}${formatCount(Math.abs(difference))}${unsure > 0 && difference !== 0 ? ` \u00b1 ${formatCount(unsure)}` : ''}`;
}
