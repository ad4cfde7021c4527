import { describe, expect, it } from 'vitest';
import { formatBytes, formatCount, formatDifference, formatFigure, formatFlops, formatLoss, formatLr, formatNorm, formatPercent, formatRate, formatStep, MISSING } from '../src/figures/numbers';
import { elapsedSeconds, formatDuration, formatStamp, formatWhen } from '../src/figures/time';

const plain = (text: string) => text.replaceAll('\u2009', ' ');

describe('numbers as tokens.md wants them', () => {
  it.each([
    [0, '0'],
    [41_280, '41,280'],
    [99_999, '99,999'],
    [99_999.6, '100 k'],
    [110_400, '110 k'],
    [999_499, '999 k'],
    [999_500, '1 M'],
    [817_900_000, '818 M'],
    [1_200_000_000, '1.2 B'],
  ])('counts %d as %s', (value, text) => expect(plain(formatCount(value))).toBe(text));

  it('writes losses with four decimals and a true minus', () => {
    expect(formatLoss(3.11091)).toBe('3.1109');
    expect(formatLoss(-0.5)).toBe('\u22120.5000');
    expect(formatLoss(NaN)).toBe('NaN');
  });

  it('signs differences, and does not sign nothing as less', () => {
    expect(formatDifference(0.0076)).toBe('+0.0076');
    expect(formatDifference(-0.0121)).toBe('\u22120.0121');
    expect(formatDifference(-0.00001)).toBe('+0.0000');
  });

  it('writes learning rates in powers of ten', () => {
    expect(formatLr(0.0012)).toBe('1.2e-3');
    expect(formatLr(0.003)).toBe('3e-3');
    expect(formatLr(1)).toBe('1e0');
    expect(formatLr(0)).toBe('0');
  });

  it('writes FLOPs in powers of ten', () => {
    expect(formatFlops(1.5e17)).toBe('1.5e17');
    expect(formatFlops(1e9)).toBe('1e9');
    expect(formatFlops(2.345e20)).toBe('2.35e20');
  });

  it('writes norms, shares, rates, bytes', () => {
    expect(formatNorm(0.47)).toBe('0.470');
    expect(formatNorm(123.456)).toBe('123.5');
    expect(plain(formatPercent(0.3214))).toBe('32.1 %');
    expect(plain(formatRate(310_400, 'tok/s'))).toBe('310 k tok/s');
    expect(plain(formatRate(2110, 'docs/s'))).toBe('2,110 docs/s');
    expect(plain(formatBytes(14_200_000_000))).toBe('14.2 GB');
    expect(plain(formatBytes(12))).toBe('12 B');
  });

  it('tells missing from zero', () => {
    for (const format of [formatCount, formatFlops, formatLoss, formatLr, formatNorm, formatPercent, formatStep, formatFigure]) {
      expect(format(null)).toBe(MISSING);
      expect(format(undefined)).toBe(MISSING);
      expect(format(0)).not.toBe(MISSING);
    }
  });
});

describe('times', () => {
  it.each([
    [35, '35 s'],
    [250, '4 m 10 s'],
    [3900, '1 h 05 m'],
    [2 * 86_400 + 3 * 3600, '2 d 3 h'],
    [59.6, '1 m 0 s'],
  ])('writes %d seconds as %s', (seconds, text) => expect(plain(formatDuration(seconds))).toBe(text));

  it('writes near times as a distance and far ones as a date', () => {
    const now = new Date(2026, 10, 24, 12, 0, 0);
    const back = (seconds: number) => new Date(now.getTime() - seconds * 1000).toISOString();
    expect(plain(formatWhen(back(16 * 60), now.getTime()))).toBe('16 m ago');
    expect(plain(formatWhen(back(2), now.getTime()))).toBe('now');
    expect(formatWhen(back(86_400), now.getTime())).toBe('2026-11-23 12:00');
    expect(formatStamp(new Date(2026, 0, 5, 4, 9))).toBe('2026-01-05 04:09');
  });

  it('counts on while a run goes on', () => {
    expect(elapsedSeconds('2026-11-24T12:00:00Z', null, Date.parse('2026-11-24T12:01:00Z'))).toBe(60);
    expect(elapsedSeconds('2026-11-24T12:00:00Z', '2026-11-24T12:00:30Z', 0)).toBe(30);
    expect(elapsedSeconds(null, null, 0)).toBeNull();
  });
});
