import { describe, expect, it } from 'vitest'
import { incompatibilities } from '../../src/registry/compatibility.js'
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

describe('why a schema may not follow another', () => {
  it('is nothing where each can read the other', () => {
    expect(incompatibilities('FULL', ours, ours)).toEqual([])
  })

  it('names the field, and both ways where both are broken', () => {
    expect(incompatibilities('FULL', ours, retyped('eventId', 'long'))).toEqual([
      expect.stringMatching(/earlier schema would be unreadable: field eventId: .*long.*string/),
      expect.stringMatching(/readers of the earlier schema could not read .*: field eventId: .*string.*long/),
    ])
  })

  it('names a field that only one of them has', () => {
    const without = changed((schema) => (schema.fields = schema.fields.filter(({ name }) => name !== 'messageId')))
    expect(incompatibilities('BACKWARD', ours, without)).toEqual([
      expect.stringMatching(/field messageId is not in it/),
    ])
    expect(incompatibilities('FORWARD', ours, without)).toEqual([])
  })

  it('is told of what is not Avro at all', () => {
    expect(incompatibilities('BACKWARD', ours, '{"$schema":"http://json-schema.org/draft-07/schema#"}')).toHaveLength(1)
  })
})
