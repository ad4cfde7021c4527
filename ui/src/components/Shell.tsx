// The frame: rail (a drawer under 768 px), top bar, page.
import { Drawer, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconChartLine, IconChecklist, IconCpu, IconDatabase, IconGitCompare, IconHome, IconMenu2, IconMoon, IconRocket, IconSettings, IconSun, IconClock, IconWebhook } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link, useLocation } from '@tanstack/react-router';
import { useEffect, type ReactNode } from 'react';
import { healthQuery, runsQuery } from '../api/queries';
import { HelpButton } from './Help';
import { ProjectSwitch } from './ProjectSwitch';

const NAVIGATION = [
  {
    heading: null,
    links: [
      { to: '/', label: 'Overview', icon: IconHome },
      { to: '/launch', label: 'Launch', icon: IconRocket },
    ],
  },
  { heading: 'Data', links: [{ to: '/datasets', label: 'Datasets', icon: IconDatabase }] },
  {
    heading: 'Training',
    links: [
      { to: '/runs', label: 'Runs', icon: IconChartLine },
      { to: '/compare', label: 'Compare', icon: IconGitCompare },
    ],
  },
  { heading: 'Evaluation', links: [{ to: '/evaluations', label: 'Evaluations', icon: IconChecklist }] },
  { heading: 'Operations', links: [{ to: '/schedules', label: 'Schedules', icon: IconClock }, { to: '/workers', label: 'Workers', icon: IconCpu }, { to: '/webhooks', label: 'Webhooks', icon: IconWebhook }, { to: '/settings', label: 'Settings', icon: IconSettings }] },
] as const;

function Brand() {
  return (
    <Link to="/" className="brand">
      <svg width="20" height="20" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="2.2" strokeLinecap="round" aria-hidden>
        <path d="M2 6c4 0 5 2.5 9 2.5S17 6 22 6M2 12c4 0 5 2.5 9 2.5s6-2.5 11-2.5M2 18c4 0 5 2.5 9 2.5s6-2.5 11-2.5" />
      </svg>
      Headrace
    </Link>
  );
}

function ServiceState() {
  const { data, isError } = useQuery(healthQuery);
  const bad = data?.parts.filter((part) => !part.ok) ?? [];
  const words = isError ? 'Service not reached' : !data ? 'Looking' : bad.length ? `${bad.map((p) => p.name).join(', ')} down` : 'All services up';
  const color = isError || bad.length ? 'var(--failed)' : data ? 'var(--completed)' : 'var(--queued)';
  return (
    <div className="rail-foot">
      <div className="row" title={bad.map((part) => `${part.name}: ${part.detail}`).join('\n')}>
        <span className="dot" style={{ background: color }} />
        {words}
      </div>
      {data && <div>v{data.version}</div>}
    </div>
  );
}

function Rail() {
  const path = useLocation({ select: (location) => location.pathname });
  const { data: runs } = useQuery(runsQuery);
  const live = runs?.filter((run) => run.state === 'running').length ?? 0;
  return (
    <>
      <Brand />
      <ProjectSwitch />
      <nav aria-label="Main">
        {NAVIGATION.map((group) => (
          <div key={group.links[0].to}>
            {group.heading && <div className="rail-heading">{group.heading}</div>}
            {group.links.map((link) => (
              <Link key={link.to} to={link.to} className="rail-link" aria-current={(link.to === '/' ? path === '/' : path.startsWith(link.to)) ? 'page' : undefined}>
                <link.icon size={16} stroke={1.75} aria-hidden />
                {link.label}
                {link.to === '/runs' && live > 0 && <span className="rail-count">{live} live</span>}
              </Link>
            ))}
          </div>
        ))}
      </nav>
      <ServiceState />
    </>
  );
}

function SchemeButton() {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const other = scheme === 'dark' ? 'light' : 'dark';
  return (
    <button className="btn ghost icon" aria-label={`Switch to ${other}`} onClick={() => setColorScheme(other)}>
      {scheme === 'dark' ? <IconSun size={16} stroke={1.75} /> : <IconMoon size={16} stroke={1.75} />}
    </button>
  );
}

export interface Crumb {
  label: string;
  to?: string;
}

/** A page in its frame. The last crumb is where one is. */
export function Page({ crumbs, children }: { crumbs: Crumb[]; children: ReactNode }) {
  const [opened, drawer] = useDisclosure(false);
  const path = useLocation({ select: (location) => location.pathname });
  const { close } = drawer;
  useEffect(() => close(), [path, close]);
  const title = crumbs.at(-1)?.label ?? '';
  useEffect(() => {
    document.title = `${title} · Headrace`;
  }, [title]);
  return (
    <div className="shell">
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <aside className="rail only-wide">
        <Rail />
      </aside>
      <Drawer.Root opened={opened} onClose={close} size={260} padding="xs">
        <Drawer.Overlay />
        <Drawer.Content aria-label="Menu">
          <Drawer.Body className="drawer-rail">
            <Rail />
          </Drawer.Body>
        </Drawer.Content>
      </Drawer.Root>
      <div className="main">
        <header className="top">
          <button className="btn ghost icon only-narrow" aria-label="Menu" onClick={drawer.open}>
            <IconMenu2 size={18} stroke={1.75} />
          </button>
          <nav aria-label="Breadcrumbs" className="clip">
            <ol className="crumbs">
              {crumbs.map((crumb, i) => (
                <li key={crumb.label} className="clip">
                  {crumb.to ? (
                    <Link to={crumb.to}>{crumb.label}</Link>
                  ) : (
                    <span className="clip" title={crumb.label} aria-current={i === crumbs.length - 1 ? 'page' : undefined}>
                      {crumb.label}
                    </span>
                  )}
                </li>
              ))}
            </ol>
          </nav>
          <span className="push" />
          <SchemeButton />
          <HelpButton />
        </header>
        <main className="body" id="content">
          {children}
        </main>
      </div>
    </div>
  );
}
