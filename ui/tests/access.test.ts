import { describe, expect, it } from 'vitest';
import { browserOf } from '../src/figures/browsers';
import { changesOf } from '../src/figures/changes';

describe('changes of the audit log', () => {
  it('names the fields that differ, with both values', () => {
    expect(changesOf({ state: 'queued', pool: 'cpu' }, { state: 'cancelled', pool: 'cpu' })).toEqual([{ field: 'state', before: 'queued', after: 'cancelled' }]);
  });
  it('shows what is new, what is gone, and leaves out what is empty on both sides', () => {
    expect(changesOf(null, { name: 'x', project: null, roles: { left: 'viewer' } })).toEqual([
      { field: 'name', before: '', after: 'x' },
      { field: 'roles', before: '', after: '{"left":"viewer"}' },
    ]);
    expect(changesOf({ score: 4 }, null)).toEqual([{ field: 'score', before: '4', after: '' }]);
    expect(changesOf(null, null)).toEqual([]);
  });
});

describe('names of browsers', () => {
  const claims = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36';
  it('is not fooled by what each claims to be', () => {
    expect(browserOf(claims)).toBe('Chrome on Windows');
    expect(browserOf(`${claims} Edg/130.0.0.0`)).toBe('Edge on Windows');
    expect(browserOf('Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0')).toBe('Firefox on Linux');
    expect(browserOf('Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1')).toBe('Safari on iOS');
  });
  it('shows what it does not know', () => {
    expect(browserOf('curl/8.5')).toBe('curl/8.5');
    expect(browserOf('')).toBe('Unknown');
  });
});
