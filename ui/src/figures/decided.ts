// Which documents a threshold decides: those between the one in force and the one tried, or those next to it.
import { axisOf } from './axis';
import { drops, type Histogram } from './histograms';

export interface Measured {
  rule: string | null;
  figure: number | null;
  figures?: Record<string, number | null>;
}

/** What a rule measured on a document; null: it did not get there, or nothing was kept of it. */
export function figureOf(sample: Measured, rule: string): number | null {
  return sample.rule === rule ? (sample.figure ?? sample.figures?.[rule] ?? null) : (sample.figures?.[rule] ?? null);
}

/** With the threshold moved: documents whose verdict by this rule changes. Else the ones next to it. Nearest to the new one first. */
export function decidedBy<S extends Measured>(samples: readonly S[], rule: string, bins: Pick<Histogram, 'bound' | 'threshold' | 'edges'>, value: number | null, most: number): S[] {
  const axis = axisOf(bins.edges);
  const moved = value !== bins.threshold;
  const from = value ?? bins.threshold;
  return samples
    .flatMap((sample) => {
      const figure = figureOf(sample, rule);
      if (figure === null || from === null) return [];
      const changes = drops(bins.bound, figure, bins.threshold) !== drops(bins.bound, figure, value);
      return moved && !changes ? [] : [{ sample, away: Math.abs(axis.place(figure) - axis.place(from)) }];
    })
    .sort((a, b) => a.away - b.away)
    .slice(0, most)
    .map(({ sample }) => sample);
}
