// A group of fields that closes to one sentence. Closed, its fields are not built.
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react';
import { useState, type ReactNode } from 'react';
import { formatFigure } from '../../figures/numbers';
import { spellOut } from '../../figures/words';
import { under, type FormContext } from './context';

/** The first plain values of a group as a sentence. */
export function sentence(value: unknown, title = ''): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return 'none';
    return value.map((item) => (typeof item === 'object' && item !== null && 'kind' in item ? spellOut(String(item.kind)) : String(item))).slice(0, 5).join(' · ') + (value.length > 5 ? ` and ${value.length - 5} more` : '');
  }
  if (typeof value !== 'object' || value === null) return '';
  return Object.entries(value)
    .filter(([, item]) => typeof item !== 'object' && item !== undefined)
    .filter(([key, item]) => !(key === 'kind' && spellOut(String(item)) === title))
    .slice(0, 4)
    .map(([key, item]) => {
      if (key === 'kind') return spellOut(String(item));
      if (key === 'name') return String(item);
      const name = spellOut(key).toLowerCase();
      if (typeof item === 'boolean') return item ? name : `no ${name}`;
      return `${name} ${typeof item === 'number' ? formatFigure(item) : String(item)}`;
    })
    .join(' · ');
}

export function Section({ title, description, pointer, value, context, depth, children }: {
  title: string;
  description?: string | undefined;
  pointer: string;
  value: unknown;
  context: FormContext;
  depth: number;
  children: ReactNode;
}) {
  const [pressed, setPressed] = useState<boolean | null>(null);
  const wanted = context.focus !== null && under(context.focus, pointer);
  const open = wanted || (pressed ?? false);
  const changed = [...context.changed].filter((item) => under(item, pointer)).length;
  const wrong = context.problems.filter((item) => under(item.pointer, pointer)).length;
  const Chevron = open ? IconChevronDown : IconChevronRight;
  return (
    <div className={`form-section depth-${depth}`}>
      <button type="button" className="form-section-head" aria-expanded={open} onClick={() => setPressed(!open)}>
        <Chevron size={14} stroke={1.75} aria-hidden />
        <span className="form-section-title">{title}</span>
        {!open && <span className="muted clip small">{sentence(value, title)}</span>}
        <span className="push" />
        {wrong > 0 && <span className="small is-failed">{wrong === 1 ? '1 error' : `${wrong} errors`}</span>}
        {changed > 0 && <span className="small changed-count">{changed} changed</span>}
      </button>
      {open && (
        <div className="form-section-body">
          {description && <p className="tiny muted">{description}</p>}
          {children}
        </div>
      )}
    </div>
  );
}
