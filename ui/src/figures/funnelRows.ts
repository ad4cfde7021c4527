// The funnel as a table shows it: documents, or tokens estimated from the bytes of text.
import { readFunnel, readSourceFunnel, type FunnelStage } from './funnel';

export interface FunnelView {
  language?: string | undefined;
  source?: string | undefined;
  by?: 'tokens' | undefined;
}

export interface RuleRow {
  rule: string;
  /** Null: not counted in this unit. */
  dropped: number | null;
}

export interface StageRow {
  stage: string;
  /** Null: no text yet, so no tokens. */
  left: number | null;
  dropped: number | null;
  /** What came into the stage. */
  before: number | null;
  rules: RuleRow[];
  /** Documents dropped, whatever the unit: is there anything to look at? */
  documents: number;
}

export interface TokenRates {
  /** Bytes of text a token; null: not known. */
  bytesPerToken: (language: string | undefined) => number | null;
  /** Bytes that a rule dropped; null: not measured. */
  ruleBytes: (rule: string, language: string | undefined) => number | null;
}

const share = (bytes: number | null, rate: number) => (bytes === null ? null : bytes / rate);

function inTokens(stage: FunnelStage, rate: number, ruleBytes: (rule: string) => number | null): StageRow {
  const left = stage.isText ? share(stage.bytes, rate) : null;
  const dropped = stage.isText ? share(stage.droppedBytes, rate) : null;
  return {
    stage: stage.stage,
    left,
    dropped,
    before: left === null || dropped === null ? null : left + dropped,
    rules: stage.rules.map((rule) => ({ rule: rule.rule, dropped: share(ruleBytes(rule.rule), rate) })),
    documents: stage.dropped,
  };
}

/** Null when tokens are asked for and their number is not known. */
export function funnelRows(statistics: unknown, view: FunnelView, rates: TokenRates): StageRow[] | null {
  const stages = view.source ? readSourceFunnel(statistics, view.source) : readFunnel(statistics, view.language);
  if (view.by === 'tokens') {
    const rate = rates.bytesPerToken(view.source ? undefined : view.language);
    return rate ? stages.map((stage) => inTokens(stage, rate, (rule) => rates.ruleBytes(rule, view.language))) : null;
  }
  return stages.map((stage) => ({
    stage: stage.stage,
    left: stage.left,
    dropped: stage.dropped,
    before: stage.left + stage.dropped,
    rules: stage.rules,
    documents: stage.dropped,
  }));
}
