// The spec's JSON schema made plain for a form, and a check of a document against it.
export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  /** `default` under a name that the form library does not act upon. */
  'x-default'?: unknown;
  const?: unknown;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  oneOf?: Schema[];
  anyOf?: Schema[];
  allOf?: Schema[];
  discriminator?: { propertyName: string; mapping?: Record<string, string> };
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minItems?: number;
  $ref?: string;
  $defs?: Record<string, Schema>;
}

export interface SchemaProblem {
  pointer: string;
  message: string;
}

function lookUp(ref: string, defs: Record<string, Schema>): Schema {
  return defs[ref.split('/').at(-1) ?? ''] ?? {};
}

/** References put in place, `X or null` as one nullable type, generated titles left out. */
export function plainSchema(schema: Schema, defs: Record<string, Schema> = schema.$defs ?? {}): Schema {
  const { $ref, $defs: _defs, title: _title, anyOf, ...rest } = schema;
  if ($ref) return plainSchema({ ...lookUp($ref, defs), ...rest }, defs);
  const some = anyOf?.filter((option) => option.type !== 'null');
  const [only] = some ?? [];
  if (anyOf && some?.length === 1 && only && some.length < anyOf.length) {
    const inner = plainSchema({ ...only, ...rest }, defs);
    return typeof inner.type === 'string' ? { ...inner, type: [inner.type, 'null'] } : { ...inner, anyOf: [inner, { type: 'null' }] };
  }
  const plain: Schema = { ...rest };
  if (anyOf) plain.anyOf = anyOf.map((option) => plainSchema(option, defs));
  if (rest.oneOf) plain.oneOf = rest.oneOf.map((option) => plainSchema(option, defs));
  if (rest.discriminator) plain.discriminator = { propertyName: rest.discriminator.propertyName };
  if (rest.items) plain.items = plainSchema(rest.items, defs);
  if (typeof rest.additionalProperties === 'object') plain.additionalProperties = plainSchema(rest.additionalProperties, defs);
  if (rest.properties) plain.properties = Object.fromEntries(Object.entries(rest.properties).map(([key, value]) => [key, plainSchema(value, defs)]));
  return plain;
}

/** The schema of one kind of run out of the union of all. */
export function schemaOfKind(union: Schema, kind: string): Schema | null {
  const ref = union.discriminator?.mapping?.[kind];
  return ref ? plainSchema({ $ref: ref }, union.$defs ?? {}) : null;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function hasType(value: unknown, type: string): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return typeof value === 'number' && Number.isFinite(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    default:
      return typeof value === type;
  }
}

const TYPE_WORDS: Record<string, string> = {
  integer: 'a whole number',
  number: 'a number',
  string: 'text',
  boolean: 'true or false',
  array: 'a list',
  object: 'a group of fields',
  null: 'empty',
};

const numberRules: [keyof Schema, (value: number, bound: number) => boolean, string][] = [
  ['minimum', (v, b) => v >= b, 'Must be at least'],
  ['maximum', (v, b) => v <= b, 'Must be at most'],
  ['exclusiveMinimum', (v, b) => v > b, 'Must be more than'],
  ['exclusiveMaximum', (v, b) => v < b, 'Must be less than'],
  ['multipleOf', (v, b) => Math.abs(v / b - Math.round(v / b)) < 1e-9, 'Must be a multiple of'],
];

function scalarProblem(schema: Schema, value: unknown): string | null {
  if (typeof value === 'number')
    for (const [rule, holds, words] of numberRules) {
      const bound = schema[rule];
      if (typeof bound === 'number' && !holds(value, bound)) return `${words} ${bound}`;
    }
  if (typeof value === 'string') {
    if (schema.minLength && value.length < schema.minLength) return schema.minLength === 1 ? 'Must not be empty' : `Needs at least ${schema.minLength} characters`;
    if (schema.maxLength && value.length > schema.maxLength) return `Has room for ${schema.maxLength} characters`;
    if (schema.pattern && !new RegExp(schema.pattern, 'u').test(value)) return `Must look like ${schema.pattern}`;
  }
  if (schema.const !== undefined && value !== schema.const) return `Must be ${String(schema.const)}`;
  if (schema.enum && !schema.enum.includes(value)) return `Must be one of ${schema.enum.join(', ')}`;
  return null;
}

function objectProblems(schema: Schema, value: Record<string, unknown>, pointer: string): SchemaProblem[] {
  const known = schema.properties ?? {};
  const missing = (schema.required ?? []).filter((key) => value[key] === undefined).map((key) => ({ pointer: `${pointer}/${key}`, message: 'Is needed' }));
  const inner = Object.entries(value).flatMap(([key, item]) => {
    const at = `${pointer}/${key}`;
    const own = known[key];
    if (own) return item === undefined ? [] : findProblems(own, item, at);
    if (schema.additionalProperties === false) return [{ pointer: at, message: 'Unknown field' }];
    return typeof schema.additionalProperties === 'object' ? findProblems(schema.additionalProperties, item, at) : [];
  });
  return [...missing, ...inner];
}

function unionProblems(options: Schema[], schema: Schema, value: unknown, pointer: string): SchemaProblem[] {
  const tag = schema.discriminator?.propertyName;
  if (tag && isObject(value)) {
    const kinds = options.map((option) => option.properties?.[tag]?.const);
    const chosen = options[kinds.indexOf(value[tag])];
    return chosen ? findProblems(chosen, value, pointer) : [{ pointer: `${pointer}/${tag}`, message: `Must be one of ${kinds.join(', ')}` }];
  }
  const found = options.map((option) => findProblems(option, value, pointer));
  if (found.some((list) => list.length === 0)) return [];
  return [...found].sort((a, b) => a.length - b.length)[0] ?? [];
}

/** What is wrong with a document, each at its field. The schema is a plain one (`plainSchema`). */
export function findProblems(schema: Schema, value: unknown, pointer = ''): SchemaProblem[] {
  if (value === null && schema.anyOf?.some((option) => option.type === 'null')) return []; // a union that may be left out
  for (const part of schema.allOf ?? []) {
    const found = findProblems(part, value, pointer);
    if (found.length) return found;
  }
  if (schema.oneOf) return unionProblems(schema.oneOf, schema, value, pointer);
  if (schema.anyOf) return unionProblems(schema.anyOf, schema, value, pointer);
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length && !types.some((type) => hasType(value, type))) {
    const wanted = types.filter((type) => type !== 'null');
    return [{ pointer: pointer || '/', message: `Must be ${wanted.map((type) => TYPE_WORDS[type] ?? type).join(' or ')}` }];
  }
  const own = scalarProblem(schema, value);
  if (own) return [{ pointer: pointer || '/', message: own }];
  if (Array.isArray(value)) {
    if (schema.minItems && value.length < schema.minItems) return [{ pointer: pointer || '/', message: `Needs at least ${schema.minItems}` }];
    return schema.items ? value.flatMap((item, i) => findProblems(schema.items ?? {}, item, `${pointer}/${i}`)) : [];
  }
  return isObject(value) ? objectProblems(schema, value, pointer) : [];
}

/** For the form: defaults under another name. The document is whole already; defaults laid over its lists would mix them. */
export function withoutDefaults(schema: Schema): Schema {
  const { default: start, ...rest } = schema;
  const each = (list: Schema[] | undefined) => list?.map(withoutDefaults);
  const plain: Schema = { ...rest, ...(start === undefined ? {} : { 'x-default': start }) };
  if (rest.properties) plain.properties = Object.fromEntries(Object.entries(rest.properties).map(([key, value]) => [key, withoutDefaults(value)]));
  if (rest.oneOf) plain.oneOf = each(rest.oneOf) ?? [];
  if (rest.anyOf) plain.anyOf = each(rest.anyOf) ?? [];
  if (rest.items) plain.items = withoutDefaults(rest.items);
  return plain;
}

/** The value a field starts with: its default, or what its type makes. */
export function startValue(schema: Schema): unknown {
  const start = schema.default ?? schema['x-default'];
  if (start !== undefined) return structuredClone(start);
  if (schema.const !== undefined) return schema.const;
  if (schema.oneOf?.[0]) return startValue(schema.oneOf[0]);
  if (schema.properties) return Object.fromEntries(Object.entries(schema.properties).map(([key, value]) => [key, startValue(value)]).filter(([, v]) => v !== undefined));
  if (schema.type === 'array') return [];
  return undefined;
}
