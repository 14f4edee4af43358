/** The generated documents, by the JSON Schemas that their specifications publish. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AnySchemaObject, ValidateFunction } from 'ajv'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'

// Vitest and Node.js disagree on what the default export of these CommonJS modules is.
const require = createRequire(import.meta.url)
const { default: Ajv } = require('ajv') as typeof import('ajv')
const { default: Ajv2019 } = require('ajv/dist/2019.js') as typeof import('ajv/dist/2019.js')

const readText = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const readSchema = (name: string): unknown => JSON.parse(readText(`test/fixtures/published-schemas/${name}.json`))
const readDocument = (name: string): Record<string, unknown> =>
  parse(readText(`docs/contracts/${name}.yaml`)) as Record<string, unknown>

/** The schemas use keywords that ajv knows nothing of, and formats that a test of the structure needs none of. */
const OPTIONS = { strict: false, validateFormats: false, allErrors: true } as const

const compileAsyncApi = (): ValidateFunction =>
  new Ajv(OPTIONS).compile(readSchema('asyncapi-3.0.0') as AnySchemaObject)
const compileOdcs = (): ValidateFunction => new Ajv2019(OPTIONS).compile(readSchema('odcs-3.1.0') as AnySchemaObject)
const compileBackstage = (): ValidateFunction => {
  const [api, ...referenced] = readSchema('backstage-api-1.10.3') as AnySchemaObject[]
  return new Ajv({ ...OPTIONS, schemas: referenced }).compile(api!)
}

/** The entity as Backstage has it after it has put the document in the place of `$text`. */
const readEntity = (): Record<string, unknown> => {
  const entity = readDocument('catalog-info')
  const spec = entity['spec'] as Record<string, unknown>
  expect(spec['definition']).toEqual({ $text: './asyncapi.yaml' })
  return { ...entity, spec: { ...spec, definition: readText('docs/contracts/asyncapi.yaml') } }
}

const without = (document: Record<string, unknown>, key: string): Record<string, unknown> =>
  Object.fromEntries(Object.entries(document).filter(([each]) => each !== key))

describe.each([
  ['AsyncAPI document', 'AsyncAPI 3.0.0', compileAsyncApi, () => readDocument('asyncapi'), 'info'],
  ['data contract', 'ODCS 3.1.0', compileOdcs, () => readDocument('data-contract'), 'apiVersion'],
  ['Backstage entity', "Backstage's catalog model", compileBackstage, readEntity, 'metadata'],
] as const)('The %s', (_document, standard, compile, read, requiredKey) => {
  it(`is valid by the schema of ${standard}`, () => {
    const validate = compile()
    expect([validate(read()), validate.errors]).toEqual([true, null])
    // The schema is one that refuses.
    expect(validate(without(read(), requiredKey))).toBe(false)
    expect(validate.errors).not.toEqual([])
  })
})
