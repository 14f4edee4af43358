/** Changes of the schema of receipts: those that break what consumers rely on, and those that do not. */
export interface Field {
  name: string
  type: unknown
  default?: unknown
  aliases?: string[]
  doc?: string
}
export interface RecordSchema {
  name: string
  namespace: string
  aliases?: string[]
  fields: Field[]
}
interface EnumSchema {
  symbols: string[]
  default?: string
}

export type SchemaChange = (schema: RecordSchema) => unknown

export const changeSchema = (text: string, change: SchemaChange): string => {
  const schema = JSON.parse(text) as RecordSchema
  change(schema)
  return JSON.stringify(schema)
}

export const fieldOf = ({ fields }: RecordSchema, name: string): Field => {
  const field = fields.find((each) => each.name === name)
  if (field === undefined) throw new Error(`The schema has no field ${name}`)
  return field
}

const enumOf = (schema: RecordSchema, name: string): EnumSchema => fieldOf(schema, name).type as EnumSchema

const remove = (schema: RecordSchema, name: string): void => {
  schema.fields = schema.fields.filter((field) => field.name !== name)
}

export interface BreakingChange {
  readonly what: string
  readonly change: SchemaChange
  /** A reason that names the field and the rule. */
  readonly reason: RegExp
  /** Whether a registry refuses it at level FULL. Otherwise only our policy forbids it. */
  readonly isIncompatible: boolean
}

export const BREAKING_CHANGES: readonly BreakingChange[] = [
  {
    what: 'a field without a default is removed',
    change: (schema) => remove(schema, 'messageId'),
    reason: /field messageId is missing in the records and has no default \(READER_FIELD_MISSING_DEFAULT_VALUE\)/,
    isIncompatible: true,
  },
  {
    what: 'a field with a default is removed',
    change: (schema) => remove(schema, 'errorCode'),
    reason: /field errorCode: it is removed or renamed \(FIELD_REMOVED\)/,
    isIncompatible: false,
  },
  {
    what: 'a field without a default is added',
    change: ({ fields }) => fields.push({ name: 'tenant', type: 'string' }),
    reason: /field tenant is missing in the records and has no default \(READER_FIELD_MISSING_DEFAULT_VALUE\)/,
    isIncompatible: true,
  },
  {
    what: 'a field without a default is renamed',
    change: (schema) => (fieldOf(schema, 'messageId').name = 'id'),
    reason: /fields? id is missing .*\n.*field messageId is missing/,
    isIncompatible: true,
  },
  {
    what: 'a field is renamed with an alias, which readers of the earlier version do not have',
    change: (schema) => Object.assign(fieldOf(schema, 'messageId'), { name: 'id', aliases: ['messageId'] }),
    reason: /readers of the earlier schema could not read new records: field messageId is missing/,
    isIncompatible: true,
  },
  {
    what: 'a field with a default is renamed with an alias',
    change: (schema) => Object.assign(fieldOf(schema, 'errorCode'), { name: 'code', aliases: ['errorCode'] }),
    reason: /field errorCode: it is removed or renamed \(FIELD_REMOVED\)/,
    isIncompatible: false,
  },
  {
    what: 'a type changes',
    change: (schema) => (fieldOf(schema, 'final').type = 'string'),
    reason: /field final: boolean can't be read as string \(TYPE_MISMATCH\)/,
    isIncompatible: true,
  },
  {
    what: 'a type becomes wider, which readers of the earlier version do not accept',
    change: (schema) => (fieldOf(schema, 'segments').type = ['null', 'long']),
    reason: /could not read new records: field segments: long .*\(MISSING_UNION_BRANCH\)/,
    isIncompatible: true,
  },
  {
    what: 'a unit of time changes',
    change: (schema) => (fieldOf(schema, 'receivedAt').type = { type: 'long', logicalType: 'timestamp-micros' }),
    reason: /field receivedAt: timestamp-millis would be read as timestamp-micros/,
    isIncompatible: false,
  },
  {
    what: 'null is permitted where it was not',
    change: (schema) => (fieldOf(schema, 'messageId').type = ['null', 'string']),
    reason: /could not read new records: field messageId: null can't be read as string/,
    isIncompatible: true,
  },
  {
    what: 'a branch of a union is removed',
    change: (schema) => Object.assign(fieldOf(schema, 'sender'), { type: 'string', default: '' }),
    reason: /field sender: null can't be read as string/,
    isIncompatible: true,
  },
  {
    what: 'a symbol of an enum is removed',
    change: (schema) =>
      (enumOf(schema, 'status').symbols = enumOf(schema, 'status').symbols.filter((s) => s !== 'SKIPPED')),
    reason: /field status: SKIPPED is removed or renamed \(SYMBOL_REMOVED\)/,
    isIncompatible: false,
  },
  {
    what: 'an enum loses its default',
    change: (schema) => delete enumOf(schema, 'status').default,
    reason: /field status: the default of the enum is missing, and was UNKNOWN \(DEFAULT_CHANGED\)/,
    isIncompatible: false,
  },
  {
    what: 'the default of an enum changes',
    change: (schema) => (enumOf(schema, 'via').default = 'PULL'),
    reason: /field via: the default of the enum is PULL, and was OTHER \(DEFAULT_CHANGED\)/,
    isIncompatible: false,
  },
  {
    what: 'a default changes, and the union with it',
    change: (schema) => Object.assign(fieldOf(schema, 'errorCode'), { type: ['string', 'null'], default: 'none' }),
    reason: /field errorCode: its default is "none", and was null \(DEFAULT_CHANGED\)/,
    isIncompatible: false,
  },
  {
    what: 'a default is removed',
    change: (schema) => delete fieldOf(schema, 'errorCode').default,
    reason: /field errorCode: its default is missing, and was null \(DEFAULT_CHANGED\)/,
    isIncompatible: false,
  },
  {
    what: 'the namespace changes',
    change: (schema) => (schema.namespace = 'com.example'),
    reason: /named com\.example\.DeliveryReceipt, and was named sms\.events\.DeliveryReceipt \(NAME_CHANGED\)/,
    isIncompatible: false,
  },
  {
    what: 'the record is renamed, with an alias',
    change: (schema) => Object.assign(schema, { name: 'Receipt', aliases: ['DeliveryReceipt'] }),
    reason: /could not read new records: sms\.events\.Receipt is written .*\(NAME_MISMATCH\)/,
    isIncompatible: true,
  },
  {
    what: 'a field of a nested record is removed',
    change: (schema) => {
      const [, price] = fieldOf(schema, 'price').type as [string, RecordSchema]
      remove(price, 'currency')
    },
    reason: /field price\.currency: it is removed or renamed \(FIELD_REMOVED\)/,
    isIncompatible: false,
  },
  {
    what: 'the values of a map change',
    change: (schema) => (fieldOf(schema, 'raw').type = { type: 'map', values: 'long' }),
    reason: /field raw\[…\]: string can't be read as long \(TYPE_MISMATCH\)/,
    isIncompatible: true,
  },
]

export const PERMITTED_CHANGES: readonly Pick<BreakingChange, 'what' | 'change'>[] = [
  {
    what: 'a field that can be null is added',
    change: ({ fields }) => fields.push({ name: 'tenant', type: ['null', 'string'], default: null }),
  },
  {
    what: 'a field with a default is added',
    change: ({ fields }) => fields.push({ name: 'attempts', type: 'int', default: 1 }),
  },
  { what: 'a symbol is added to an enum', change: (schema) => enumOf(schema, 'status').symbols.push('RETRYING') },
  { what: 'docs change', change: ({ fields }) => fields.forEach((field) => delete field.doc) },
  { what: 'fields change places', change: ({ fields }) => fields.reverse() },
  { what: 'a field gets an alias', change: (schema) => (fieldOf(schema, 'messageId').aliases = ['id']) },
  { what: 'a default is added', change: (schema) => (fieldOf(schema, 'messageId').default = '') },
]
