// Form and YAML over one document, the difference to the base, and the button.
import { IconAlertTriangle, IconRocket } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useMemo, useRef, useState } from 'react';
import { parse, stringify } from 'yaml';
import { ApiError, type FieldProblem } from '../../api/client';
import { launchRun } from '../../api/commands';
import { keys } from '../../api/queries';
import { SpecForm } from '../../components/form/SpecForm';
import { Segmented } from '../../components/Segmented';
import { changedPointers } from '../../figures/documents';
import { findProblems, schemaOfKind, type Schema } from '../../figures/schema';
import { spellOut } from '../../figures/words';
import { Difference } from './Difference';
import { Estimate } from './Estimate';
import type { Base } from './LaunchPage';

type View = 'form' | 'yaml';

/** The service names fields from the request's root (`/spec/...`); the form from the spec's. */
export function fieldProblems(error: unknown): FieldProblem[] {
  if (!(error instanceof ApiError)) return [];
  return error.fields.map((field) => ({ ...field, pointer: field.pointer.replace(/^\/body/, '').replace(/^\/spec(?=\/|$)/, '') || '/' }));
}

function useLaunch(spec: Record<string, unknown>) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const key = useRef<{ body: string; id: string } | null>(null);
  return useMutation({
    mutationFn: () => {
      const body = JSON.stringify(spec);
      if (key.current?.body !== body) key.current = { body, id: crypto.randomUUID() };
      return launchRun(spec, key.current.id);
    },
    onSuccess: async (run) => {
      void client.invalidateQueries({ queryKey: keys.runs });
      await navigate({ to: '/runs/$runId', params: { runId: run.id } });
    },
  });
}

function Footer({ problems, general, pending, onShow, onLaunch }: {
  problems: FieldProblem[];
  general: string | null;
  pending: boolean;
  onShow: () => void;
  onLaunch: () => void;
}) {
  const first = problems[0];
  const blocked = problems.length > 0 || pending;
  return (
    <div className="launch-foot">
      {(first || general) && (
        <span className="row small is-failed" role="alert">
          <IconAlertTriangle size={14} stroke={1.75} aria-hidden />
          <span className="clip">
            {first ? `${problems.length === 1 ? '1 error' : `${problems.length} errors`}: ${first.pointer.split('/').filter(Boolean).map(spellOut).join(' › ') || 'Spec'}: ${first.message}` : general}
          </span>
          {first && (
            <button type="button" className="btn ghost compact" onClick={onShow}>
              Show
            </button>
          )}
        </span>
      )}
      <span className="push" />
      <button type="button" className="btn primary" aria-disabled={blocked} onClick={() => (first ? onShow() : !pending && onLaunch())}>
        <IconRocket size={14} stroke={1.75} /> {pending ? 'Launching' : 'Launch'}
      </button>
    </div>
  );
}

export function Editor({ base, union }: { base: Base; union: Schema }) {
  const [view, setView] = useState<View>('form');
  const [spec, setSpec] = useState(base.changed ?? base.spec);
  const [text, setText] = useState(() => stringify(base.changed ?? base.spec));
  const [unreadable, setUnreadable] = useState<string | null>(null);
  const [focus, setFocus] = useState<string | null>(null);
  const launch = useLaunch(spec);
  const kind = String(spec['kind'] ?? base.kind);
  const schema = useMemo(() => schemaOfKind(union, kind), [union, kind]);
  const changed = useMemo(() => new Set(changedPointers(base.spec, spec)), [base.spec, spec]);
  const problems = useMemo<FieldProblem[]>(() => {
    if (unreadable) return [{ pointer: '/', message: unreadable }];
    const own = schema ? findProblems(schema, spec) : [{ pointer: '/kind', message: 'Must be a kind of run' }];
    return own.length ? own : fieldProblems(launch.error);
  }, [schema, spec, unreadable, launch.error]);

  const change = (next: Record<string, unknown>) => {
    setSpec(next);
    setText(stringify(next));
    launch.reset();
  };
  const type = (next: string) => {
    setText(next);
    launch.reset();
    try {
      const value: unknown = parse(next);
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('A spec is a group of "name: value" lines');
      setSpec(value as Record<string, unknown>);
      setUnreadable(null);
    } catch (error) {
      setUnreadable(error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error));
    }
  };
  const show = () => {
    const pointer = problems[0]?.pointer ?? null;
    if (unreadable) return setView('yaml');
    setView('form');
    setFocus(pointer);
    setTimeout(() => document.querySelector<HTMLElement>(`[data-pointer="${CSS.escape(pointer ?? '')}"] .field-input`)?.focus(), 80);
  };
  const general = launch.error && fieldProblems(launch.error).length === 0 ? launch.error.message : null;

  return (
    <>
      <div className="launch-layout">
        <section className="card launch-editor" aria-label="Spec">
          <div className="card-head" style={{ alignItems: 'center' }}>
            <h2>{base.name}</h2>
            <span className="small muted">{changed.size === 0 ? 'unchanged' : `${changed.size} changed`}</span>
            <span className="push" />
            <Segmented
              label="Editor"
              value={view}
              options={[
                { value: 'form', label: 'Form' },
                { value: 'yaml', label: 'YAML' },
              ]}
              onChange={(next) => (next === 'form' && unreadable ? undefined : setView(next))}
            />
          </div>
          {view === 'form' && schema ? (
            <SpecForm schema={schema} value={spec} context={{ changed, problems, focus }} onChange={change} />
          ) : (
            <YamlEditor text={text} problems={problems} onChange={type} />
          )}
        </section>
        <div className="launch-side">
          <Estimate spec={spec} valid={problems.length === 0} />
          <Difference before={base.spec} after={spec} name={base.name} changes={changed.size} />
        </div>
      </div>
      <Footer problems={problems} general={general} pending={launch.isPending} onShow={show} onLaunch={() => launch.mutate()} />
    </>
  );
}

function YamlEditor({ text, problems, onChange }: { text: string; problems: FieldProblem[]; onChange: (text: string) => void }) {
  return (
    <>
      <textarea
        className="yaml-editor mono"
        aria-label="Spec as YAML"
        aria-invalid={problems.length > 0}
        spellCheck={false}
        value={text}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Tab' || event.shiftKey || event.altKey || event.ctrlKey) return;
          const at = event.currentTarget;
          if (at.selectionStart !== at.selectionEnd) return;
          event.preventDefault();
          at.setRangeText('  ', at.selectionStart, at.selectionEnd, 'end');
          onChange(at.value);
        }}
      />
      {problems.map((problem) => (
        <div className="yaml-problem" key={problem.pointer + problem.message}>
          <code className="mono">{problem.pointer}</code> {problem.message}
        </div>
      ))}
    </>
  );
}
