// Settings: who may do what, and who did what. The open tab stands in the URL.
import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { sessionQuery } from '../../api/queries';
import { Page } from '../../components/Shell';
import { Tabs } from '../../components/Tabs';
import { AuditTab } from './AuditTab';
import { BrowsersTab } from './BrowsersTab';
import { ProjectsTab } from './ProjectsTab';
import './settings.css';
import { TABS, type SettingsTab } from './tabs';
import { TokensTab } from './TokensTab';
import { UsersTab } from './UsersTab';

const route = getRouteApi('/app/settings');
const PANELS: Record<SettingsTab, () => React.ReactNode> = { tokens: TokensTab, projects: ProjectsTab, users: UsersTab, browsers: BrowsersTab, audit: AuditTab };

export function SettingsPage() {
  const { tab } = route.useSearch();
  const navigate = route.useNavigate();
  const { data: session } = useQuery(sessionQuery);
  const everywhere = session?.roles['*'] === 'admin';
  const tabs = TABS.filter((item) => !item.needs || (item.needs === 'admin' ? session?.role === 'admin' : everywhere));
  const open = tabs.find((item) => item.name === tab)?.name ?? tabs[0]?.name ?? 'projects';
  const Panel = PANELS[open];
  return (
    <Page crumbs={[{ label: 'Settings' }]}>
      <div className="page-head">
        <h1>Settings</h1>
        {session && (
          <span className="muted">
            {session.name}, {everywhere ? 'admin of all projects' : session.role}
          </span>
        )}
      </div>
      <Tabs label="Settings" items={tabs} value={open} onChange={(name) => void navigate({ search: { tab: name } })} />
      <div id="tab-panel" role="tabpanel" aria-labelledby={`tab-${open}`} className="stack">
        <Panel />
      </div>
    </Page>
  );
}
