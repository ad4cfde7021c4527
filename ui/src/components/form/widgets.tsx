// Inputs of the form: text and numbers, choices, switches.
import type { BaseInputTemplateProps, WidgetProps } from '@rjsf/utils';
import type { Schema } from '../../figures/schema';
import { pointerOf, problemsAt, type FormContext } from './context';

const nullable = (schema: Schema): boolean => [schema.type ?? []].flat().includes('null');

const placeholderOf = (schema: Schema): string | undefined => {
  const start = schema['x-default'];
  return start !== null && start !== undefined ? String(start) : nullable(schema) ? 'none' : undefined;
};

function useInvalid(props: Pick<WidgetProps, 'registry' | 'id'>, pointer: string | undefined): boolean {
  return pointer !== undefined && problemsAt(props.registry.formContext as FormContext, pointer).length > 0;
}

/** `root_optimizer_lr` cannot be split back safely, so the path comes along in the options. */
const pointerIn = (options: WidgetProps['options']): string | undefined => {
  const path = options['path'];
  return Array.isArray(path) ? pointerOf(path as (string | number)[]) : undefined;
};

export function TextInput(props: BaseInputTemplateProps) {
  const { id, value, onChange, schema, options } = props;
  const numeric = ['number', 'integer'].some((type) => [schema.type ?? []].flat().includes(type as 'number'));
  const invalid = useInvalid(props, pointerIn(options));
  return (
    <input
      id={id}
      className="field-input"
      type="text"
      inputMode={numeric ? 'decimal' : 'text'}
      value={value === null || value === undefined ? '' : String(value)}
      placeholder={placeholderOf(schema as Schema)}
      aria-invalid={invalid}
      aria-describedby={`${id}__help`}
      spellCheck={false}
      autoComplete="off"
      onChange={(event) => {
        const text = event.target.value;
        if (text === '' && nullable(schema as Schema)) onChange(null);
        else onChange(text === '' && numeric ? undefined : text);
      }}
    />
  );
}

export function SelectWidget({ id, value, options, onChange }: WidgetProps) {
  const choices = options.enumOptions ?? [];
  return (
    <select id={id} className="field-input" value={String(value ?? '')} aria-describedby={`${id}__help`} onChange={(event) => onChange(choices.find((c) => String(c.value) === event.target.value)?.value)}>
      {choices.map((choice) => (
        <option key={String(choice.value)} value={String(choice.value)}>
          {choice.label}
        </option>
      ))}
    </select>
  );
}

export function CheckboxWidget({ id, value, onChange }: WidgetProps) {
  return (
    <span className="switch">
      <input id={id} type="checkbox" role="switch" checked={Boolean(value)} aria-describedby={`${id}__help`} onChange={(event) => onChange(event.target.checked)} />
      <span className="small muted">{value ? 'On' : 'Off'}</span>
    </span>
  );
}
