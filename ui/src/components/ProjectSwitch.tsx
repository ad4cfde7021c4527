// Which project the pages are about; shown to those who see several. A change loads the page anew: nothing of the other one stays.
import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { projectsQuery } from '../api/access';
import { chooseProject, chosenProject } from '../api/project';

function change(name: string | null): void {
  chooseProject(name);
  window.location.assign('/runs');
}

export function ProjectSwitch() {
  const { data } = useQuery(projectsQuery);
  const chosen = chosenProject();
  const lost = data !== undefined && chosen !== null && !data.items.some((project) => project.id === chosen);
  useEffect(() => {
    if (lost) change(null); // it is gone, or no longer ours
  }, [lost]);
  if (!data || (data.items.length < 2 && chosen === null)) return null;
  return (
    <label className="project-switch">
      <span className="visually-hidden">Project</span>
      <select className="field-input" value={chosen ?? ''} onChange={(event) => change(event.target.value || null)}>
        <option value="">All projects</option>
        {data.items.map((project) => (
          <option key={project.id}>{project.id}</option>
        ))}
      </select>
    </label>
  );
}
