// The form of a spec, built from its JSON schema.
import Form from '@rjsf/core';
import type { FieldPathList, RJSFSchema, UiSchema, ValidatorType } from '@rjsf/utils';
import { useMemo } from 'react';
import { findProblems, withoutDefaults, type Schema } from '../../figures/schema';
import type { FormContext } from './context';
import { ListField, MapField, UnionField } from './fields';
import './form.css';
import { ArrayFieldItemTemplate, ArrayFieldTemplate, FieldTemplate, ObjectFieldTemplate } from './templates';
import { CheckboxWidget, SelectWidget, TextInput } from './widgets';

// Problems are found outside of the form (once for form and YAML); nothing is compiled, so the CSP needs no eval.
const validator: ValidatorType = {
  isValid: (schema, data) => findProblems(schema as Schema, data).length === 0,
  rawValidation: () => ({ errors: [] }),
  validateFormData: () => ({ errors: [], errorSchema: {} }),
};

/** Which field each place of the schema gets. */
export function uiSchemaOf(schema: Schema, path: FieldPathList = []): UiSchema {
  const place = { 'ui:options': { path } };
  if (schema.oneOf) {
    const kinds = Object.fromEntries(schema.oneOf.map((option) => [String(option.properties?.['kind']?.const), uiSchemaOf(option, path)]));
    return { 'ui:field': 'UnionField', 'ui:fieldReplacesAnyOrOneOf': true, kinds };
  }
  if (schema.properties) return Object.fromEntries(Object.entries(schema.properties).map(([key, value]) => [key, uiSchemaOf(value, [...path, key])]));
  if (typeof schema.additionalProperties === 'object') return { 'ui:field': 'MapField' };
  if (schema.items) return schema.items.oneOf || schema.items.properties ? { items: uiSchemaOf(schema.items, path) } : { 'ui:field': 'ListField' };
  if (schema.const !== undefined) return { 'ui:widget': 'hidden' };
  return place;
}

const templates = { FieldTemplate, ObjectFieldTemplate, ArrayFieldTemplate, ArrayFieldItemTemplate, BaseInputTemplate: TextInput };
const widgets = { SelectWidget, CheckboxWidget };
const fields = { UnionField, ListField, MapField };

export function SpecForm({ schema, value, context, onChange }: {
  schema: Schema;
  value: Record<string, unknown>;
  context: FormContext;
  onChange: (value: Record<string, unknown>) => void;
}) {
  const bare = useMemo(() => withoutDefaults(schema), [schema]);
  const places = useMemo(() => uiSchemaOf(schema), [schema]);
  return (
    <Form
      tagName="div"
      schema={bare as RJSFSchema}
      uiSchema={places}
      formData={value}
      formContext={context}
      validator={validator}
      templates={templates}
      widgets={widgets}
      fields={fields}
      experimental_defaultFormStateBehavior={{ arrayMinItems: { populate: 'never' }, constAsDefaults: 'never', emptyObjectFields: 'skipDefaults' }}
      noHtml5Validate
      noValidate
      showErrorList={false}
      onChange={(event) => onChange(event.formData as Record<string, unknown>)}
    >
      <></>
    </Form>
  );
}
