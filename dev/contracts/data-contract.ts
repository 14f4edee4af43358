/** Generates the data contract in the Open Data Contract Standard 3.1, `docs/contracts/data-contract.yaml`. */
import { type AvroField, type AvroType, formatType, type RecordSchema, splitNullable } from './avro-schema.js'

export const generateDataContract = (schemas: readonly RecordSchema[], version: string): object => ({
  apiVersion: 'v3.1.0',
  kind: 'DataContract',
  id: 'dlr-mo-connector-records',
  name: 'Records of dlr-mo-connector',
  version,
  status: 'active',
  domain: 'messaging',
  description: {
    purpose: 'What became of SMS that were sent, and what handsets wrote, as aggregators reported it.',
    usage:
      'Consumers read with isolation.level=read_committed, and fold receipts into the state of a message: final wins, then by time.',
    limitations:
      'A fact that the provider does not send is null. An item that no event could be made of is a dead letter.',
  },
  schema: schemas.map(({ record, topic }) => ({
    name: record.name,
    logicalType: 'object',
    physicalType: 'topic',
    physicalName: topic,
    description: record.doc,
    properties: record.fields.map(propertyOf),
  })),
})

function propertyOf(field: AvroField): object {
  const { isNullable } = splitNullable(field.type)
  const isPersonal = field['confluent:tags']?.includes('PII') ?? false
  return {
    name: field.name,
    ...logicalTypeOf(field.type),
    physicalType: formatType(field.type),
    required: !isNullable,
    description: field.doc,
    ...(isPersonal && { classification: 'PII', tags: ['PII'] }),
  }
}

function logicalTypeOf(type: AvroType): object {
  const { type: present } = splitNullable(type)
  if (typeof present === 'string') return { logicalType: LOGICAL_TYPES[present] }
  switch (present.type) {
    case 'long':
      return { logicalType: 'timestamp' }
    case 'map':
      return { logicalType: 'object' }
    case 'enum':
      return { logicalType: 'string', quality: [validValues(present.symbols)] }
    case 'record':
      return { logicalType: 'object', properties: present.fields.map(propertyOf) }
  }
}

const LOGICAL_TYPES: Readonly<Record<string, string>> = {
  string: 'string',
  boolean: 'boolean',
  int: 'integer',
  bytes: 'string',
}

const validValues = (symbols: readonly string[]): object => ({
  type: 'library',
  metric: 'invalidValues',
  arguments: { validValues: symbols },
  mustBe: 0,
})
