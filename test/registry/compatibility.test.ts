import { describe, expect, it } from 'vitest'
import { findIncompatibilities } from '../../src/registry/compatibility.js'
import { loadSchemas } from '../../src/registry/schemas.js'

interface Schema {
  fields: { name: string; type: unknown; default?: unknown }[]
}
const ours = loadSchemas().dlr.text
const changed = (change: (schema: Schema) => void): string => {
  const schema = JSON.parse(ours) as Schema
  change(schema)
  return JSON.stringify(schema)
}
const retyped = (name: string, type: unknown): string =>
  changed(({ fields }) => (fields.find((field) => field.name === name)!.type = type))

describe('findIncompatibilities', () => {
  it('finds nothing if each schema can read the other', () => {
    expect(findIncompatibilities('FULL', ours, ours)).toEqual([])
  })

  it('names the field in both directions if both are incompatible', () => {
    expect(findIncompatibilities('FULL', ours, retyped('eventId', 'long'))).toEqual([
      expect.stringMatching(/earlier schema would be unreadable: field eventId: .*long.*string/),
      expect.stringMatching(/readers of the earlier schema could not read new records: field eventId: .*string.*long/),
    ])
  })

  it('names a field that only one of the schemas has', () => {
    const without = changed((schema) => {
      schema.fields = schema.fields.filter(({ name }) => name !== 'messageId')
    })
    expect(findIncompatibilities('BACKWARD', ours, without)).toEqual([
      expect.stringMatching(/field messageId is missing in the records/),
    ])
    expect(findIncompatibilities('FORWARD', ours, without)).toEqual([])
  })

  it('reports a schema that is not Avro', () => {
    expect(
      findIncompatibilities('BACKWARD', ours, '{"$schema":"http://json-schema.org/draft-07/schema#"}'),
    ).toHaveLength(1)
  })
})
