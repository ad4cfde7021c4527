// Projects: what runs, datasets and labels belong to, and how much of the machines each may take.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { accessKeys, createProject, projectsQuery } from '../../api/access';
import { sessionQuery } from '../../api/queries';
import { ProblemCard, SkeletonRows } from '../../components/feedback';
import { When } from '../../components/When';

function ProjectForm() {
  const client = useQueryClient();
  const [id, setId] = useState('');
  const [description, setDescription] = useState('');
  const [limit, setLimit] = useState('');
  const ready = /^[a-z0-9][a-z0-9-]{0,62}$/.test(id);
  const make = useMutation({
    mutationFn: () => createProject({ id, description, max_running: limit ? Number(limit) : null }),
    onSuccess: () => {
      setId('');
      setDescription('');
      setLimit('');
    },
    onSettled: () => client.invalidateQueries({ queryKey: accessKeys.all }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ready && !make.isPending) make.mutate();
  };
  return (
    <form className="card settings-form" aria-label="New project" onSubmit={submit}>
      <label>
        New project
        <input className="field-input" value={id} placeholder="lower-case-and-hyphens" autoComplete="off" aria-invalid={id !== '' && !ready} onChange={(e) => setId(e.target.value)} />
      </label>
      <label>
        About
        <input className="field-input" value={description} maxLength={1000} autoComplete="off" onChange={(e) => setDescription(e.target.value)} />
      </label>
      <label>
        Running at most
        <input className="field-input" type="number" min={1} max={10000} value={limit} placeholder="no limit" onChange={(e) => setLimit(e.target.value)} />
      </label>
      <button type="submit" className="btn primary" aria-disabled={!ready || make.isPending}>
        Make project
      </button>
      {make.error && (
        <p className="is-failed full" role="alert">
          {make.error.message}
        </p>
      )}
    </form>
  );
}

export function ProjectsTab() {
  const { data: session } = useQuery(sessionQuery);
  const { data, error, refetch } = useQuery(projectsQuery);
  return (
    <>
      <p className="muted">Members of a project see its runs, datasets and scores, and nothing of other projects.</p>
      {session?.roles['*'] === 'admin' && <ProjectForm />}
      {error && !data && <ProblemCard error={error} what="The projects could not be loaded" retry={() => void refetch()} />}
      {!data && !error && <SkeletonRows rows={2} />}
      {data && (
        <div className="card table-wrap">
          <table className="table stacked">
            <thead>
              <tr>
                <th>Project</th>
                <th>About</th>
                <th>Your role</th>
                <th className="right">Running</th>
                <th className="right">At most</th>
                <th className="right">Made</th>
              </tr>
            </thead>
            <tbody>
              {data.items.map((project) => (
                <tr key={project.id}>
                  <td className="strong whole">{project.id}</td>
                  <td className="muted settings-name whole">
                    <span className="clip" title={project.description}>
                      {project.description}
                    </span>
                  </td>
                  <td data-label="Your role">{project.role}</td>
                  <td className="num" data-label="Running">{project.num_running}</td>
                  <td className="num muted" data-label="At most">{project.max_running ?? 'no limit'}</td>
                  <td className="num muted" data-label="Made">
                    <When time={project.created_at} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
