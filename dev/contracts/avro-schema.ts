/** The record schemas as their files state them, for the generators of this folder. */
import { readdirSync, readFileSync } from 'node:fs'
import type { EventKind } from '../../src/registry/schemas.js'

export type AvroType = string | AvroMap | AvroTimestamp | AvroEnum | AvroRecord | readonly AvroType[]

interface AvroMap {
  readonly type: 'map'
  readonly values: AvroType
}

interface AvroTimestamp {
  readonly type: 'long'
  readonly logicalType: 'timestamp-millis'
}

export interface AvroEnum {
  readonly type: 'enum'
  readonly name: string
  readonly doc: string
  readonly symbols: readonly string[]
  readonly default: string
}

export interface AvroRecord {
  readonly type: 'record'
  readonly name: string
  readonly namespace?: string
  readonly doc: string
  readonly fields: readonly AvroField[]
}

export interface AvroField {
  readonly name: string
  readonly type: AvroType
  readonly default?: unknown
  readonly doc: string
  /** Tags as Confluent's catalogue reads them. Everything else ignores the attribute. */
  readonly 'confluent:tags'?: readonly string[]
}

/** A schema, and what the connector does with its records unless the configuration says otherwise. */
export interface RecordSchema {
  readonly kind: EventKind
  /** File name without its ending, for example `delivery-receipt`. */
  readonly file: string
  readonly record: AvroRecord
  /** The default topic. */
  readonly topic: string
  /** What the record key is, for example `messageId`. */
  readonly key: string
}

const DIRECTORY = new URL('../../schemas/', import.meta.url)

const loadRecord = (file: string): AvroRecord =>
  JSON.parse(readFileSync(new URL(`${file}.avsc`, DIRECTORY), 'utf8')) as AvroRecord

export const loadRecordSchemas = (): readonly RecordSchema[] => [
  { kind: 'dlr', file: 'delivery-receipt', record: loadRecord('delivery-receipt'), topic: 'sms.dlr', key: 'messageId' },
  { kind: 'mo', file: 'inbound-message', record: loadRecord('inbound-message'), topic: 'sms.mo', key: 'sender' },
  {
    kind: 'dead-letter',
    file: 'dead-letter',
    record: loadRecord('dead-letter'),
    topic: 'sms.dead-letter',
    key: 'source',
  },
]

/** The version of the contracts: one more than the published versions of the schemas, until these are published. */
export const contractVersion = (): string => {
  const versions = readdirSync(new URL('history/', DIRECTORY)).map((file) => Number(/\.v(\d+)\.avsc$/.exec(file)?.[1]))
  return `${Math.max(...versions) + 1}.0.0`
}

/** A type without null, and whether it was a union with null. */
export interface Nullable {
  readonly type: Exclude<AvroType, readonly AvroType[]>
  readonly isNullable: boolean
}

/** @throws Error for a union of more than null and one type, which the schemas do not use */
export function splitNullable(type: AvroType): Nullable {
  if (!isUnion(type)) return { type, isNullable: false }
  const [first, second, ...others] = type
  if (first !== 'null' || second === undefined || isUnion(second) || others.length > 0) {
    throw new Error(`no union of null and one type: ${JSON.stringify(type)}`)
  }
  return { type: second, isNullable: true }
}

const isUnion = (type: AvroType): type is readonly AvroType[] => Array.isArray(type)

/** The enums and records within a record, each once, in the order of its fields. */
export const nestedTypes = ({ fields }: AvroRecord): (AvroEnum | AvroRecord)[] =>
  fields.flatMap((field) => {
    const { type } = splitNullable(field.type)
    if (typeof type === 'string') return []
    if (type.type === 'record') return [type, ...nestedTypes(type)]
    return type.type === 'enum' ? [type] : []
  })

/** The name of a type as a page or a catalogue shows it, for example `timestamp-millis` or `map of string`. */
export function formatType(type: AvroType): string {
  const { type: present } = splitNullable(type)
  if (typeof present === 'string') return present
  switch (present.type) {
    case 'long':
      return present.logicalType
    case 'map':
      return `map of ${formatType(present.values)}`
    case 'enum':
    case 'record':
      return present.name
  }
}
