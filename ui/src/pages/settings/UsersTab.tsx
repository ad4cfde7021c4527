// Users: people, their roles by project, and the links that let them in.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { accessKeys, changeUser, createUser, createUserLink, projectsQuery, usersQuery, type User } from '../../api/access';
import { Copied } from '../../components/Copied';
import { Empty, ProblemCard, SkeletonRows } from '../../components/feedback';

const ROLES = ['viewer', 'operator', 'admin'] as const;
type PersonRole = (typeof ROLES)[number];

function UserForm() {
  const client = useQueryClient();
  const { data: projects } = useQuery(projectsQuery);
  const [name, setName] = useState('');
  const [email, setEmail] = useState('');
  const [project, setProject] = useState('default');
  const [role, setRole] = useState<PersonRole>('operator');
  const ready = name.trim() !== '';
  const make = useMutation({
    mutationFn: () => createUser({ name: name.trim(), email: email.trim() || null, is_admin: false, roles: { [project]: role } }),
    onSuccess: () => {
      setName('');
      setEmail('');
    },
    onSettled: () => client.invalidateQueries({ queryKey: accessKeys.all }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ready && !make.isPending) make.mutate();
  };
  return (
    <form className="card settings-form" aria-label="New user" onSubmit={submit}>
      <label>
        Name
        <input className="field-input" value={name} maxLength={100} autoComplete="off" onChange={(e) => setName(e.target.value)} />
      </label>
      <label>
        Email, where wanted
        <input className="field-input" type="email" value={email} maxLength={254} autoComplete="off" onChange={(e) => setEmail(e.target.value)} />
      </label>
      <label>
        Project
        <select className="field-input" value={project} onChange={(e) => setProject(e.target.value)}>
          {projects?.items.map((item) => (
            <option key={item.id}>{item.id}</option>
          ))}
        </select>
      </label>
      <label>
        Role
        <select className="field-input" value={role} onChange={(e) => setRole(e.target.value as PersonRole)}>
          {ROLES.map((item) => (
            <option key={item}>{item}</option>
          ))}
        </select>
      </label>
      <button type="submit" className="btn primary" aria-disabled={!ready || make.isPending}>
        Make user
      </button>
      {make.error && (
        <p className="is-failed full" role="alert">
          {make.error.message}
        </p>
      )}
    </form>
  );
}

function Row({ user, onLink }: { user: User; onLink: (link: { name: string; url: string }) => void }) {
  const client = useQueryClient();
  const link = useMutation({ mutationFn: () => createUserLink(user.id), onSuccess: (made) => onLink({ name: user.name, url: made.url }) });
  const toggle = useMutation({
    mutationFn: () => changeUser(user.id, { disabled: !user.disabled }),
    onSettled: () => client.invalidateQueries({ queryKey: accessKeys.all }),
  });
  const roles = user.is_admin ? 'admin of all projects' : Object.entries(user.roles).map(([project, role]) => `${project} ${role}`).join(', ') || 'no project';
  return (
    <tr>
      <td className="settings-name whole">
        <span className="clip strong" title={user.name}>
          {user.name}
        </span>
      </td>
      <td className="muted" data-label={user.email ? 'Email' : undefined}>{user.email ?? ''}</td>
      <td className="settings-name" data-label="Roles">
        <span className="clip" title={roles}>
          {roles}
        </span>
      </td>
      <td>{user.disabled && <span className="tag">disabled</span>}</td>
      <td className="right">
        <span className="row push" style={{ justifyContent: 'flex-end' }}>
          {!user.disabled && (
            <button className="btn compact" aria-label={`Login link for ${user.name}`} onClick={() => link.mutate()}>
              Login link
            </button>
          )}
          <button className="btn compact" aria-label={`${user.disabled ? 'Enable' : 'Disable'} ${user.name}`} onClick={() => toggle.mutate()}>
            {user.disabled ? 'Enable' : 'Disable'}
          </button>
        </span>
      </td>
    </tr>
  );
}

export function UsersTab() {
  const { data, error, refetch } = useQuery(usersQuery);
  const [link, setLink] = useState<{ name: string; url: string } | null>(null);
  return (
    <>
      <p className="muted">There are no passwords: a link lets a person in, once, within ten minutes. A disabled user is out at once.</p>
      <UserForm />
      {link && (
        <section className="card shown-once" aria-label="Login link">
          <h2>Give this link to {link.name}</h2>
          <Copied text={link.url} label="Login link" />
        </section>
      )}
      {error && !data && <ProblemCard error={error} what="The users could not be loaded" retry={() => void refetch()} />}
      {!data && !error && <SkeletonRows rows={2} />}
      {data?.items.length === 0 && <Empty title="No users yet" todo="So far tokens alone let people in. A user has a name in the audit log, and roles by project." cli="headrace users create NAME --role default=operator" />}
      {data && data.items.length > 0 && (
        <div className="card table-wrap">
          <table className="table stacked">
            <thead>
              <tr>
                <th>User</th>
                <th>Email</th>
                <th>Roles</th>
                <th>
                  <span className="visually-hidden">State</span>
                </th>
                <th>
                  <span className="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {data.items.map((user) => (
                <Row key={user.id} user={user} onLink={setLink} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}
