// Pages and what of their state stands in the URL.
import type { QueryClient } from '@tanstack/react-query';
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, Outlet } from '@tanstack/react-router';
import { ErrorPage, MissingPage } from './pages/errors';
import { readCompareSearch, type CompareSearch } from './pages/compare/search';
import { readSearch, type DatasetSearch } from './pages/datasets/tabs';
import { Gate } from './pages/Gate';
import { X_KINDS, type XKind } from './figures/place';
import { readSearch as readSettingsSearch, type SettingsSearch } from './pages/settings/tabs';
import { RunsPage } from './pages/runs/RunsPage';

type Raw = Record<string, unknown>;
const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined);
const whole = (value: unknown): number | undefined => (typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined);
const percent = (value: unknown): number | undefined => (whole(value) === undefined ? undefined : Math.min(98, Number(value)));
const flag = (value: unknown): true | undefined => (value === true ? true : undefined);

const OUTCOMES = ['both_right', 'only_a', 'only_b', 'both_wrong'] as const;

interface EvaluationSearch {
  open?: string | undefined;
  slice?: string | undefined;
  correct?: 'right' | 'wrong' | undefined;
  /** Held against each other. */
  a?: string | undefined;
  b?: string | undefined;
  outcome?: (typeof OUTCOMES)[number] | undefined;
  item?: string | undefined;
}

const root = createRootRouteWithContext<{ client: QueryClient }>()({ component: Outlet, notFoundComponent: MissingPage });
const app = createRoute({ getParentRoute: () => root, id: 'app', component: Gate });

const index = createRoute({
  getParentRoute: () => app,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/overview/OverviewPage'), 'OverviewPage'),
});

const runs = createRoute({
  getParentRoute: () => app,
  path: '/runs',
  validateSearch: (raw: Raw): { q?: string | undefined; kind?: string | undefined; state?: string | undefined; children?: true | undefined; folded?: string | undefined } => ({
    q: text(raw['q']),
    kind: text(raw['kind']),
    state: text(raw['state']),
    children: flag(raw['children']),
    folded: text(raw['folded']),
  }),
  component: RunsPage,
});

const run = createRoute({
  getParentRoute: () => app,
  path: '/runs/$runId',
  validateSearch: (raw: Raw): { tab?: string | undefined; iv?: string | undefined; from?: number | undefined; to?: number | undefined; log?: true | undefined; x?: XKind | undefined; smooth?: number | undefined } => ({
    tab: text(raw['tab']),
    iv: text(raw['iv']),
    from: whole(raw['from']),
    to: whole(raw['to']),
    log: flag(raw['log']),
    x: X_KINDS.find((kind) => kind === raw['x'] && kind !== 'step'),
    smooth: percent(raw['smooth']),
  }),
  component: lazyRouteComponent(() => import('./pages/run/RunPage'), 'RunPage'),
});

const compare = createRoute({
  getParentRoute: () => app,
  path: '/compare',
  validateSearch: (raw: Raw): CompareSearch => readCompareSearch(raw),
  component: lazyRouteComponent(() => import('./pages/compare/ComparePage'), 'ComparePage'),
});

const launch = createRoute({
  getParentRoute: () => app,
  path: '/launch',
  validateSearch: (raw: Raw): { preset?: string | undefined; from?: string | undefined; draft?: string | undefined } => ({ preset: text(raw['preset']), from: text(raw['from']), draft: text(raw['draft']) }),
  component: lazyRouteComponent(() => import('./pages/launch/LaunchPage'), 'LaunchPage'),
});

const datasets = createRoute({
  getParentRoute: () => app,
  path: '/datasets',
  component: lazyRouteComponent(() => import('./pages/datasets/DatasetsPage'), 'DatasetsPage'),
});

const dataset = createRoute({
  getParentRoute: () => app,
  path: '/datasets/$digest',
  validateSearch: (raw: Raw): DatasetSearch => readSearch(raw),
  component: lazyRouteComponent(() => import('./pages/datasets/DatasetPage'), 'DatasetPage'),
});

const evaluations = createRoute({
  getParentRoute: () => app,
  path: '/evaluations',
  validateSearch: (raw: Raw): EvaluationSearch => ({
    open: text(raw['open']),
    a: text(raw['a']),
    b: text(raw['b']),
    item: text(raw['item']),
    outcome: OUTCOMES.find((outcome) => outcome === raw['outcome']),
    slice: text(raw['slice']),
    correct: raw['correct'] === 'right' || raw['correct'] === 'wrong' ? raw['correct'] : undefined,
  }),
  component: lazyRouteComponent(() => import('./pages/evaluations/EvaluationsPage'), 'EvaluationsPage'),
});

const workers = createRoute({
  getParentRoute: () => app,
  path: '/workers',
  component: lazyRouteComponent(() => import('./pages/workers/WorkersPage'), 'WorkersPage'),
});

const settings = createRoute({
  getParentRoute: () => app,
  path: '/settings',
  validateSearch: (raw: Raw): SettingsSearch => readSettingsSearch(raw),
  component: lazyRouteComponent(() => import('./pages/settings/SettingsPage'), 'SettingsPage'),
});

const schedules = createRoute({
  getParentRoute: () => app,
  path: '/schedules',
  validateSearch: (raw: Raw): { open?: string | undefined } => ({ open: text(raw['open']) }),
  component: lazyRouteComponent(() => import('./pages/schedules/SchedulesPage'), 'SchedulesPage'),
});

const webhooks = createRoute({
  getParentRoute: () => app,
  path: '/webhooks',
  validateSearch: (raw: Raw): { open?: string | undefined } => ({ open: text(raw['open']) }),
  component: lazyRouteComponent(() => import('./pages/webhooks/WebhooksPage'), 'WebhooksPage'),
});

export const router = createRouter({
  routeTree: root.addChildren([app.addChildren([index, runs, run, compare, launch, datasets, dataset, evaluations, workers, settings, schedules, webhooks])]),
  context: { client: undefined as unknown as QueryClient },
  defaultPreload: 'intent',
  defaultErrorComponent: ErrorPage,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
