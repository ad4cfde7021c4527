// Fields with a form of their own: a choice between kinds, a list of words, a small table of values.
import type { FieldProps, RJSFSchema, UiSchema } from '@rjsf/utils';
import { useEffect, useState } from 'react';
import { parse, stringify } from 'yaml';
import { startValue, type Schema } from '../../figures/schema';
import { spellOut } from '../../figures/words';

/** One of several kinds (a discriminated union): the kind, then its own fields. */
export function UnionField(props: FieldProps) {
  const { schema, formData, onChange, fieldPathId, registry } = props;
  const { SchemaField } = registry.fields;
  const options = (schema as Schema).oneOf ?? [];
  const kinds = options.map((option) => String(option.properties?.['kind']?.const ?? ''));
  const kind = String((formData as { kind?: string } | undefined)?.kind ?? ((schema as Schema)['x-default'] as { kind?: string } | undefined)?.kind ?? kinds[0]);
  const chosen = options[kinds.indexOf(kind)] ?? options[0];
  const fresh = chosen && typeof fieldPathId.path.at(-1) === 'number' && (formData as { kind?: string } | undefined)?.kind === undefined;
  useEffect(() => {
    if (fresh) onChange(startValue(chosen), fieldPathId.path); // an item just added to a list
  });
  if (!chosen || !SchemaField) return null;
  const choose = (next: string) => {
    const option = options[kinds.indexOf(next)];
    if (!option) return;
    const fresh = startValue(option) as Record<string, unknown>;
    const old = (formData ?? {}) as Record<string, unknown>;
    const kept = Object.fromEntries(Object.entries(old).filter(([key]) => key !== 'kind' && key in fresh));
    onChange({ ...fresh, ...kept, kind: next }, fieldPathId.path);
  };
  const id = `${fieldPathId.$id}__kind`;
  return (
    <div className="form-union">
      <div className="form-field">
        <label htmlFor={id} className="form-label">
          Kind
        </label>
        <select id={id} className="field-input" value={kind} onChange={(event) => choose(event.target.value)}>
          {kinds.map((name) => (
            <option key={name} value={name}>
              {spellOut(name)}
            </option>
          ))}
        </select>
        {chosen.description && <div className="form-help">{chosen.description}</div>}
      </div>
      <SchemaField {...props} schema={chosen as RJSFSchema} uiSchema={(props.uiSchema?.['kinds'] as Record<string, UiSchema> | undefined)?.[kind] ?? {}} />
    </div>
  );
}

/** Words or numbers with commas between them. */
export function ListField({ schema, formData, onChange, fieldPathId, id }: FieldProps) {
  const items = (formData as unknown[] | undefined) ?? [];
  const [text, setText] = useState(items.join(', '));
  const numeric = ['number', 'integer'].includes(String((schema as Schema).items?.type));
  const read = (line: string) => {
    const parts = line.split(',').map((part) => part.trim()).filter(Boolean);
    return numeric ? parts.map((part) => (Number.isNaN(Number(part)) ? part : Number(part))) : parts;
  };
  const shown = JSON.stringify(read(text)) === JSON.stringify(items) ? text : items.join(', ');
  return (
    <input
      id={id ?? fieldPathId.$id}
      className="field-input"
      value={shown}
      placeholder="none"
      autoComplete="off"
      spellCheck={false}
      aria-describedby={`${fieldPathId.$id}__help`}
      onChange={(event) => {
        setText(event.target.value);
        onChange(read(event.target.value), fieldPathId.path);
      }}
    />
  );
}

/** `name: value` lines. */
export function MapField({ formData, onChange, fieldPathId, schema }: FieldProps) {
  const value = (formData as Record<string, unknown> | undefined) ?? {};
  const written = Object.keys(value).length ? stringify(value) : '';
  const [text, setText] = useState(written);
  const [wrong, setWrong] = useState(false);
  return (
    <div className="form-field form-half">
      <textarea
        className="field-input mono map-input"
        aria-label={spellOut(String(fieldPathId.path.at(-1)))}
        aria-invalid={wrong}
        rows={Math.min(8, Math.max(2, Object.keys(value).length + 1))}
        spellCheck={false}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          try {
            const next: unknown = parse(event.target.value) ?? {};
            const good = typeof next === 'object' && next !== null && !Array.isArray(next);
            setWrong(!good);
            if (good) onChange(next, fieldPathId.path);
          } catch {
            setWrong(true);
          }
        }}
      />
      <div className={`form-help ${wrong ? 'is-failed' : ''}`}>{wrong ? 'One "name: value" a line' : (schema.description ?? 'One "name: value" a line')}</div>
    </div>
  );
}
