/** Compares two versions of an Avro schema. */
import type avro from 'avsc'
import { messageOf } from '../core/errors.js'
import { findDataLosses } from './data-loss.js'
import { parseSchema } from './schemas.js'

/**
 * Lists why `schema` may not follow `earlier` in a subject. It serves registries that refuse a schema without a reason.
 * @param level the compatibility level of the subject: BACKWARD, FORWARD or FULL, each with or without _TRANSITIVE
 */
export function findIncompatibilities(level: string, schema: string, earlier: string): string[] {
  const found: string[] = []
  const findUnreadable = (reader: string, writer: string, problem: string): void => {
    try {
      const reasons = findUnreadableFields(parseSchema(reader), parseSchema(writer), '')
      found.push(...reasons.map((reason) => `${problem}: ${reason}`))
    } catch (error) {
      // One of the two is not an Avro schema.
      found.push(`${problem}: ${messageOf(error)}`)
    }
  }
  if (!level.startsWith('FORWARD')) {
    findUnreadable(schema, earlier, 'records written with the earlier schema would be unreadable')
  }
  if (!level.startsWith('BACKWARD')) {
    findUnreadable(earlier, schema, 'readers of the earlier schema could not read new records')
  }
  return found
}

/** Lists, for each field, why `reader` can't read what `writer` wrote. The errors of avsc do not name the field. */
function findUnreadableFields(reader: avro.Type, writer: avro.Type, path: string): string[] {
  try {
    reader.createResolver(writer)
    return []
  } catch (error) {
    const inFields = isRecord(reader) && isRecord(writer) ? compareFields(reader, writer, path) : []
    return inFields.length > 0 ? inFields : [`${path === '' ? '' : `field ${path}: `}${messageOf(error)}`]
  }
}

const compareFields = (reader: avro.types.RecordType, writer: avro.types.RecordType, path: string): string[] =>
  reader.fields.flatMap((field) => {
    const written = writer.field(field.name) as avro.types.Field | undefined
    const fieldPath = path === '' ? field.name : `${path}.${field.name}`
    if (written) return findUnreadableFields(field.type, written.type, fieldPath)
    return field.defaultValue() === undefined ? [`field ${fieldPath} is missing in the records and has no default`] : []
  })

const isRecord = (type: avro.Type): type is avro.types.RecordType => type.typeName === 'record'

/** Whether two schemas have the same names, types, field order and units of time. Docs and defaults do not count. */
export const isSameSchema = (one: string, other: string): boolean => {
  if (one === other) return true
  try {
    // avsc compares canonical forms, which have no logical types. `findDataLosses` compares those.
    return parseSchema(one).equals(parseSchema(other)) && findDataLosses(one, other).length === 0
  } catch {
    return false
  }
}
