// What a new token is for.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { accessKeys, createToken, projectsQuery, type Role } from '../../api/access';
import { sessionQuery } from '../../api/queries';

const ROLES: readonly { value: Role; label: string }[] = [
  { value: 'viewer', label: 'viewer: reads' },
  { value: 'operator', label: 'operator: launches and changes' },
  { value: 'admin', label: 'admin: manages' },
  { value: 'worker', label: 'worker: does the work' },
];
const DAYS = [0, 7, 30, 90, 365];
const DAY_MS = 86_400_000;

export function TokenForm({ onMade }: { onMade: (made: { name: string; token: string }) => void }) {
  const client = useQueryClient();
  const { data: session } = useQuery(sessionQuery);
  const { data: projects } = useQuery(projectsQuery);
  const everywhere = session?.roles['*'] === 'admin';
  const mine = projects?.items.filter((project) => project.role === 'admin') ?? [];
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('operator');
  const [project, setProject] = useState('');
  const [days, setDays] = useState(90);
  const ready = name.trim() !== '';
  const make = useMutation({
    mutationFn: () =>
      createToken({
        name: name.trim(),
        role,
        project: role === 'worker' ? null : project || null,
        expires_at: days ? new Date(Date.now() + days * DAY_MS).toISOString() : null,
      }),
    onSuccess: onMade,
    onSettled: () => client.invalidateQueries({ queryKey: accessKeys.all }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ready && !make.isPending) make.mutate();
  };
  return (
    <form className="card settings-form" aria-label="New token" onSubmit={submit}>
      <label>
        Name
        <input className="field-input" value={name} maxLength={200} autoFocus autoComplete="off" placeholder="Who or what it is for" onChange={(e) => setName(e.target.value)} />
      </label>
      <label>
        Role
        <select className="field-input" value={role} onChange={(e) => setRole(e.target.value as Role)}>
          {ROLES.filter((item) => everywhere || item.value !== 'worker').map((item) => (
            <option key={item.value} value={item.value}>
              {item.label}
            </option>
          ))}
        </select>
      </label>
      <label>
        Project
        <select className="field-input" value={role === 'worker' ? '' : project} disabled={role === 'worker'} onChange={(e) => setProject(e.target.value)}>
          {everywhere && <option value="">all projects</option>}
          {mine.map((item) => (
            <option key={item.id} value={item.id}>
              {item.id}
            </option>
          ))}
        </select>
      </label>
      <label>
        Expires
        <select className="field-input" value={days} onChange={(e) => setDays(Number(e.target.value))}>
          {DAYS.map((count) => (
            <option key={count} value={count}>
              {count ? `in ${count} days` : 'never'}
            </option>
          ))}
        </select>
      </label>
      <button type="submit" className="btn primary" aria-disabled={!ready || make.isPending}>
        Make token
      </button>
      {make.error && (
        <p className="is-failed full" role="alert">
          {make.error.message}
        </p>
      )}
    </form>
  );
}
