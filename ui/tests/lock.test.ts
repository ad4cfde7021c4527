import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

describe('package-lock.json', () => {
  const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as { packages: Record<string, Record<string, unknown>> };
  const packages = Object.entries(lock.packages);

  it('carries no funding addresses', () => expect(packages.filter(([, item]) => 'funding' in item).map(([name]) => name)).toEqual([]));

  it('names no host to fetch from: that is the reader\'s own choice', () => {
    expect(packages.filter(([, item]) => typeof item['resolved'] === 'string' && item['resolved'].includes('://')).map(([name]) => name)).toEqual([]);
  });
});
