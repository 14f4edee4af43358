import { describe, expect, it } from 'vitest'
import { findIncompatibilities, findUnreadable } from '../../src/registry/compatibility.js'
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

/** A schema of one record with the fields `x: type`. */
const recordOf = (type: unknown, more: object = {}): string =>
  JSON.stringify({ type: 'record', name: 'a.R', fields: [{ name: 'x', type, ...more }] })
const enumOf = (symbols: string[], more: object = {}): object => ({ type: 'enum', name: 'E', symbols, ...more })
const nested = (...fields: object[]): object => ({ type: 'record', name: 'P', fields })
const timestamp = (unit: string): object => ({ type: 'long', logicalType: `timestamp-${unit}` })

describe('findUnreadable', () => {
  it.each<[string, string, string]>([
    ['the same schema', recordOf('string'), recordOf('string')],
    ['a wider number', recordOf('long'), recordOf('int')],
    ['bytes for text', recordOf('bytes'), recordOf('string')],
    ['a missing field with a default', recordOf('string', { default: '' }), recordOf('null').replace('"x"', '"y"')],
    ['a field with an alias', recordOf('string', { aliases: ['old'] }), recordOf('string').replace('"x"', '"old"')],
    ['null where null is allowed', recordOf(['null', 'string']), recordOf('string')],
    ['an enum with a default', recordOf(enumOf(['A'], { default: 'A' })), recordOf(enumOf(['A', 'B']))],
    ['another namespace', recordOf('string').replace('a.R', 'b.R'), recordOf('string')],
    ['a time as a number', recordOf('long'), recordOf(timestamp('millis'))],
    ['a record that contains itself', recordOf(['null', 'a.R']), recordOf(['null', 'a.R'])],
  ])('finds nothing for %s', (_what, reader, writer) => {
    expect(findUnreadable(reader, writer)).toEqual([])
  })

  it.each<[string, string, string, string]>([
    ['another type', recordOf('string'), recordOf('long'), "field x: long can't be read as string (TYPE_MISMATCH)"],
    [
      'a missing field',
      recordOf('string'),
      recordOf('string').replace('"x"', '"y"'),
      'field x is missing in the records and has no default (READER_FIELD_MISSING_DEFAULT_VALUE)',
    ],
    [
      'several missing fields',
      JSON.stringify({ ...nested({ name: 'x', type: 'int' }, { name: 'y', type: 'int' }), name: 'a.R' }),
      recordOf('string').replace('"x"', '"z"'),
      'fields x, y are missing in the records and have no default (READER_FIELD_MISSING_DEFAULT_VALUE)',
    ],
    [
      'null that may be written',
      recordOf('string'),
      recordOf(['null', 'string']),
      "field x: null can't be read as string (TYPE_MISMATCH)",
    ],
    [
      'a branch that the union lacks',
      recordOf(['null', 'string']),
      recordOf('boolean'),
      'field x: boolean is written where null or string is expected (MISSING_UNION_BRANCH)',
    ],
    [
      'an unknown enum symbol',
      recordOf(enumOf(['A'])),
      recordOf(enumOf(['A', 'B', 'C'])),
      'field x: B, C may be written, which the reader does not know and has no default for (MISSING_ENUM_SYMBOLS)',
    ],
    [
      'a field of a nested record in a union',
      recordOf(['null', nested({ name: 'y', type: 'int' })]),
      recordOf(['null', nested()]),
      'field x.y is missing in the records and has no default (READER_FIELD_MISSING_DEFAULT_VALUE)',
    ],
    [
      'values of a map',
      recordOf({ type: 'map', values: 'int' }),
      recordOf({ type: 'map', values: 'string' }),
      "field x[…]: string can't be read as int (TYPE_MISMATCH)",
    ],
    [
      'items of an array',
      recordOf({ type: 'array', items: 'int' }),
      recordOf({ type: 'array', items: 'string' }),
      "field x[]: string can't be read as int (TYPE_MISMATCH)",
    ],
    [
      'another size',
      recordOf({ type: 'fixed', name: 'F', size: 4 }),
      recordOf({ type: 'fixed', name: 'F', size: 8 }),
      'field x: 8 bytes are written, 4 are expected (FIXED_SIZE_MISMATCH)',
    ],
    [
      'another record name',
      recordOf('string').replace('a.R', 'a.S'),
      recordOf('string'),
      'a.R is written where a.S is expected (NAME_MISMATCH)',
    ],
    [
      'another unit of time',
      recordOf(timestamp('micros')),
      recordOf(timestamp('millis')),
      'field x: timestamp-millis would be read as timestamp-micros',
    ],
    [
      'another unit of time in a union',
      recordOf(['null', timestamp('micros')]),
      recordOf(['null', timestamp('millis')]),
      'field x: timestamp-millis would be read as timestamp-micros',
    ],
  ])('names the field and the rule for %s', (_what, reader, writer, reason) => {
    expect(findUnreadable(reader, writer)).toEqual([reason])
  })
})
