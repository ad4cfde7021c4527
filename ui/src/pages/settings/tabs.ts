// The tabs of the settings, and the role that each needs.
export const TABS = [
  { name: 'tokens', label: 'Tokens', needs: 'admin' },
  { name: 'projects', label: 'Projects', needs: null },
  { name: 'users', label: 'Users', needs: 'everywhere' },
  { name: 'browsers', label: 'Browsers', needs: null },
  { name: 'audit', label: 'Audit', needs: 'admin' },
] as const;
export type SettingsTab = (typeof TABS)[number]['name'];

export interface SettingsSearch {
  tab?: SettingsTab | undefined;
  actor?: string | undefined;
  target?: string | undefined;
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined);

export const readSearch = (raw: Record<string, unknown>): SettingsSearch => ({
  tab: TABS.find((item) => item.name === raw['tab'])?.name,
  actor: text(raw['actor']),
  target: text(raw['target']),
});
