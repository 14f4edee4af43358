import avro from 'avsc'
import { describe, expect, it } from 'vitest'
import { findDataLosses } from '../../src/registry/data-loss.js'
import { loadSchemas, parseSchema } from '../../src/registry/schemas.js'
import { deadLetter, message, receipt } from '../support/events.js'

const schemas = loadSchemas()
const ours = schemas.dlr.text

interface Schema {
  name: string
  fields: { name: string; type: unknown; default?: unknown; doc?: string }[]
}
/** Returns our schema of delivery receipts with a change. */
const changed = (change: (schema: Schema) => void): string => {
  const schema = JSON.parse(ours) as Schema
  change(schema)
  return JSON.stringify(schema)
}
const field = (schema: Schema, name: string): Schema['fields'][number] =>
  schema.fields.find((each) => each.name === name)!

const priceOf = (...fields: object[]): object => ({ type: 'record', name: 'Price', fields })

describe('findDataLosses', () => {
  it('finds no loss when records are written with our own schemas', () => {
    for (const { text } of Object.values(schemas)) expect(findDataLosses(text, text)).toEqual([])
  })

  it.each<[string, (schema: Schema) => void]>([
    ['other docs', (schema) => schema.fields.forEach((each) => delete each.doc)],
    ['fields in another order', (schema) => schema.fields.reverse()],
    [
      'an additional field with a default',
      (schema) => schema.fields.push({ name: 'tenant', type: 'string', default: '' }),
    ],
    ['a string that may also be null', (schema) => (field(schema, 'messageId').type = ['null', 'string'])],
    ['more enum symbols', (schema) => (field(schema, 'via').type as { symbols: string[] }).symbols.push('STREAM')],
    [
      'another namespace',
      (schema) => {
        schema.name = 'com.example.DeliveryReceipt'
      },
    ],
    ['a time without a unit', (schema) => (field(schema, 'receivedAt').type = 'long')],
  ])('finds no loss with a schema that has %s', (_what, change) => {
    expect(findDataLosses(ours, changed(change))).toEqual([])
  })

  it.each<[string, (schema: Schema) => void, string]>([
    [
      'a missing field',
      (schema) => schema.fields.splice(6, 1),
      'status is missing in the registered schema, so its content would be lost',
    ],
    [
      'an additional required field',
      (schema) => schema.fields.push({ name: 'tenant', type: 'string' }),
      "tenant is required in the registered schema, and missing in the connector's",
    ],
    [
      'an additional required field with a name that every object has',
      (schema) => schema.fields.push({ name: 'toString', type: 'null' }),
      "toString is required in the registered schema, and missing in the connector's (FIELD_REQUIRED)",
    ],
    [
      'fewer enum symbols',
      (schema) => (field(schema, 'via').type as { symbols: string[] }).symbols.shift(),
      'via has no PULL in the registered schema',
    ],
    [
      'a type without null',
      (schema) => Object.assign(field(schema, 'sender'), { type: 'string', default: '' }),
      "sender can't hold null in the registered schema",
    ],
    [
      'another type',
      (schema) => (field(schema, 'final').type = 'string'),
      "final is string in the registered schema, boolean in the connector's",
    ],
    [
      'another unit of time',
      (schema) => (field(schema, 'receivedAt').type = { type: 'long', logicalType: 'timestamp-micros' }),
      'receivedAt is logical:timestamp-micros in the registered schema',
    ],
    [
      'another unit of time in a union',
      (schema) => (field(schema, 'occurredAt').type = ['null', { type: 'long', logicalType: 'timestamp-micros' }]),
      "occurredAt can't hold logical:timestamp-millis in the registered schema",
    ],
    [
      'map values of another type',
      (schema) => (field(schema, 'raw').type = { type: 'map', values: 'bytes' }),
      "raw[…] is bytes in the registered schema, string in the connector's",
    ],
    [
      'union branches that look the same',
      (schema) => (field(schema, 'messageId').type = ['string', { type: 'enum', name: 'E', symbols: ['A'] }]),
      "messageId is a union in the registered schema whose branches can't be told apart",
    ],
    [
      'a record in a union that lacks a field',
      (schema) => (field(schema, 'price').type = ['null', priceOf({ name: 'amount', type: 'string' })]),
      'price.currency is missing in the registered schema, so its content would be lost (FIELD_MISSING)',
    ],
    [
      'another record name',
      (schema) => (schema.name = 'Other'),
      'the record is named sms.events.Other in the registered schema',
    ],
  ])('finds a loss with a schema that has %s', (_what, change, reason) => {
    expect(findDataLosses(ours, changed(change)).join()).toContain(reason)
  })

  it('finds no loss with a schema that records can really be written with', () => {
    const theirs = parseSchema(
      changed((schema) => {
        schema.fields.reverse()
        schema.fields.push({ name: 'tenant', type: 'string', default: 'none' })
        field(schema, 'messageId').type = ['null', 'string']
      }),
    )
    const event = receipt()
    const { kind, ...fields } = event
    expect(kind).toBe('dlr')
    expect({ ...(theirs.fromBuffer(theirs.toBuffer(event)) as object) }).toEqual({ ...fields, tenant: 'none' })
  })

  it('does not change how parseSchema encodes times', () => {
    for (const [text, event] of [
      [schemas.mo.text, message()],
      [schemas['dead-letter'].text, { ...deadLetter(), part: 0, parts: 1 }],
    ] as const) {
      const type = parseSchema(text)
      expect(type).toBeInstanceOf(avro.types.RecordType)
      expect((type.fromBuffer(type.toBuffer(event)) as { receivedAt: unknown }).receivedAt).toBe(event.receivedAt)
    }
  })
})
