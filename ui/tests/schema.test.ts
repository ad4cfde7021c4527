import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readProblem } from '../src/api/client';
import { findProblems, plainSchema, schemaOfKind, startValue, type Schema } from '../src/figures/schema';
import { uiSchemaOf } from '../src/components/form/SpecForm';

const union: Schema = {
  discriminator: { propertyName: 'kind', mapping: { training: '#/$defs/Training' } },
  $defs: {
    AdamW: { type: 'object', additionalProperties: false, properties: { kind: { const: 'adamw', default: 'adamw', type: 'string' }, lr: { type: 'number', minimum: 0, maximum: 10, default: 0.003 } } },
    Muon: { type: 'object', additionalProperties: false, properties: { kind: { const: 'muon', default: 'muon', type: 'string' }, momentum: { type: 'number', exclusiveMaximum: 1, default: 0.95 } } },
    Training: {
      type: 'object',
      additionalProperties: false,
      properties: {
        kind: { const: 'training', default: 'training', type: 'string' },
        name: { type: 'string', minLength: 1, pattern: '^[^\\x00-\\x1f]+$' },
        dataset: { anyOf: [{ type: 'string', pattern: '^sha256:' }, { type: 'null' }], default: null },
        optimizer: { oneOf: [{ $ref: '#/$defs/AdamW' }, { $ref: '#/$defs/Muon' }], discriminator: { propertyName: 'kind', mapping: {} }, default: { kind: 'adamw' } },
        num_steps: { type: 'integer', minimum: 1 },
        second: { anyOf: [{ oneOf: [{ $ref: '#/$defs/AdamW' }, { $ref: '#/$defs/Muon' }], discriminator: { propertyName: 'kind', mapping: {} } }, { type: 'null' }], default: null },
      },
    },
  },
};
const training = schemaOfKind(union, 'training') as Schema;
const good = { kind: 'training', name: 'a', dataset: null, optimizer: { kind: 'adamw', lr: 0.1 }, num_steps: 5 };

describe('a spec against its schema', () => {
  it('accepts what is right', () => expect(findProblems(training, good)).toEqual([]));

  it.each([
    [{ num_steps: 0 }, '/num_steps', 'Must be at least 1'],
    [{ num_steps: 1.5 }, '/num_steps', 'Must be a whole number'],
    [{ num_steps: '1e-' }, '/num_steps', 'Must be a whole number'],
    [{ name: '' }, '/name', 'Must not be empty'],
    [{ dataset: 'x' }, '/dataset', 'Must look like ^sha256:'],
    [{ optimizer: { kind: 'adamw', lr: 11 } }, '/optimizer/lr', 'Must be at most 10'],
    [{ optimizer: { kind: 'muon', momentum: 1 } }, '/optimizer/momentum', 'Must be less than 1'],
    [{ optimizer: { kind: 'sgd' } }, '/optimizer/kind', 'Must be one of adamw, muon'],
    [{ optimizer: { kind: 'muon', lr: 1 } }, '/optimizer/lr', 'Unknown field'],
    [{ lr: 1 }, '/lr', 'Unknown field'],
  ])('names %j at %s', (change, pointer, message) => {
    expect(findProblems(training, { ...good, ...change })).toEqual([{ pointer, message }]);
  });

  it('starts a field with its defaults', () => {
    expect(startValue(plainSchema({ $ref: '#/$defs/Muon' }, union.$defs))).toEqual({ kind: 'muon', momentum: 0.95 });
  });

  it('takes nothing for a union that may be left out, and else one of its kinds', () => {
    expect(findProblems(training, { ...good, second: null })).toEqual([]);
    expect(findProblems(training, { ...good, second: { kind: 'muon', momentum: 0.9 } })).toEqual([]);
    expect(findProblems(training, { ...good, second: { kind: 'muon', momentum: 2 } })).toEqual([{ pointer: '/second/momentum', message: 'Must be less than 1' }]);
  });

  it('has no such kind', () => expect(schemaOfKind(union, 'sweep')).toBeNull());

  it('gives a choice of kinds its own field, and hides the kind', () => {
    const ui = uiSchemaOf(training);
    expect(ui['optimizer']).toMatchObject({ 'ui:field': 'UnionField' });
    expect(ui['kind']).toEqual({ 'ui:widget': 'hidden' });
  });
});

describe('problem details', () => {
  it('become an error with the fields that are wrong', async () => {
    const body = { type: 'about:blank', title: 'Wrong spec', detail: 'One field is wrong.', status: 422, errors: [{ pointer: '/spec/num_steps', message: 'too few' }] };
    const error = await readProblem(new Response(JSON.stringify(body), { status: 422 }));
    expect(error).toMatchObject({ status: 422, message: 'One field is wrong.', fields: [{ pointer: '/spec/num_steps', message: 'too few' }] });
  });

  it('still say something when the body is no JSON', async () => {
    const error = await readProblem(new Response('<html>', { status: 502, statusText: 'Bad Gateway' }));
    expect(error.title).toBe('Bad Gateway');
  });
});

describe('what is committed', () => {
  it('names no address in the lock file', () => {
    expect(readFileSync('package-lock.json', 'utf8')).not.toMatch(/https?:\/\//);
  });
});
