// What a browser must load before the first page shows: kept under a limit, and pages apart from it.
import { existsSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';

const DIST = new URL('../dist/', import.meta.url);
const LIMIT_BYTES = 250_000;
const built = existsSync(new URL('index.html', DIST));

/** Scripts that index.html names: the entry, and what it imports. */
function firstLoad(): string[] {
  const html = readFileSync(new URL('index.html', DIST), 'utf8');
  return [...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map((match) => match[1] ?? '');
}

describe.skipIf(!built)('the built UI', () => {
  it('loads at most 250 kB of gzipped JavaScript first', () => {
    const scripts = firstLoad();
    expect(scripts.length).toBeGreaterThan(0);
    const bytes = scripts.reduce((sum, path) => sum + gzipSync(readFileSync(new URL(path, DIST))).length, 0);
    expect(bytes).toBeLessThan(LIMIT_BYTES);
    expect(bytes).toBeGreaterThan(50_000);
  });

  it('leaves charts and forms to the pages that need them', () => {
    const first = firstLoad().map((path) => readFileSync(new URL(path, DIST), 'utf8')).join('');
    expect(first).not.toContain('u-cursor-x');
    expect(first).not.toContain('rjsf');
  });
});
