// How the form's fields stand on the page. https://rjsf-team.github.io/react-jsonschema-form/docs/advanced-customization/custom-templates
import type { ArrayFieldItemTemplateProps, ArrayFieldTemplateProps, FieldTemplateProps, ObjectFieldTemplateProps } from '@rjsf/utils';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { spellOut } from '../../figures/words';
import type { Schema } from '../../figures/schema';
import { pointerOf, problemsAt, type FormContext } from './context';
import { Section } from './Section';

const isScalar = (schema: Schema | undefined): boolean => {
  const types = [schema?.type ?? []].flat();
  if (schema?.oneOf || schema?.properties || typeof schema?.additionalProperties === 'object') return false;
  return !types.includes('object') && !(types.includes('array') && Boolean(schema?.items?.oneOf ?? schema?.items?.properties));
};

export function FieldTemplate(props: FieldTemplateProps) {
  const { id, schema, children, fieldPathId, registry, hidden } = props;
  if (hidden || (schema.const !== undefined && fieldPathId.path.at(-1) === 'kind')) return <div className="form-hidden">{children}</div>;
  const context = registry.formContext as FormContext;
  const pointer = pointerOf(fieldPathId.path);
  if (!isScalar(schema as Schema)) return <div className="form-wide">{children}</div>;
  const problems = problemsAt(context, pointer);
  const help = problems[0]?.message ?? schema.description;
  return (
    <div className={`form-field ${schema.type === 'array' ? 'form-half' : ''}`} data-pointer={pointer}>
      <label htmlFor={id} className="form-label">
        {spellOut(String(fieldPathId.path.at(-1) ?? ''))}
        {context.changed.has(pointer) && <span className="changed-dot" title="Differs from the preset" role="img" aria-label="changed" />}
      </label>
      {children}
      {help && (
        <div id={`${id}__help`} className={`form-help ${problems.length ? 'is-failed' : ''}`}>
          {help}
        </div>
      )}
    </div>
  );
}

export function ObjectFieldTemplate(props: ObjectFieldTemplateProps) {
  const { properties, schema, fieldPathId, formData, registry } = props;
  const known = (schema as Schema).properties ?? {};
  const plain = properties.filter((item) => isScalar(known[item.name]) && known[item.name]?.const === undefined);
  const groups = properties.filter((item) => !isScalar(known[item.name]));
  const depth = fieldPathId.path.length;
  const context = registry.formContext as FormContext;
  return (
    <>
      {plain.length > 0 && <div className={`form-grid ${depth === 0 ? 'form-top' : ''}`}>{plain.map((item) => item.content)}</div>}
      {groups.map((item) => (
        <Section
          key={item.name}
          title={spellOut(item.name)}
          description={known[item.name]?.description}
          pointer={pointerOf([...fieldPathId.path, item.name])}
          value={(formData as Record<string, unknown> | undefined)?.[item.name]}
          context={context}
          depth={depth}
        >
          {item.content}
        </Section>
      ))}
    </>
  );
}

export function ArrayFieldTemplate({ items, canAdd, onAddClick, rawErrors, schema }: ArrayFieldTemplateProps) {
  return (
    <div className="form-array">
      {items.length === 0 && <p className="small muted">None.</p>}
      {items}
      {rawErrors?.map((error) => (
        <p key={error} className="form-help is-failed">
          {error}
        </p>
      ))}
      {canAdd && (
        <button type="button" className="btn compact" onClick={onAddClick} title={schema.description}>
          <IconPlus size={14} stroke={1.75} /> Add
        </button>
      )}
    </div>
  );
}

export function ArrayFieldItemTemplate({ children, buttonsProps, index }: ArrayFieldItemTemplateProps) {
  return (
    <div className="form-item">
      <div className="form-item-body">{children}</div>
      {buttonsProps.hasRemove && (
        <button type="button" className="btn ghost icon compact" aria-label={`Remove ${index + 1}`} onClick={buttonsProps.onRemoveItem}>
          <IconTrash size={14} stroke={1.75} />
        </button>
      )}
    </div>
  );
}
