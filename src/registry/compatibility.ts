/** Why a schema may not follow another, in Avro's own terms: for registries that say no without a reason. */
import type avro from 'avsc'
import { messageOf } from '../core/errors.js'
import { findLosses, parseSchema } from './writer-schema.js'

/** @param level the registry's: BACKWARD, FORWARD, FULL, each with or without _TRANSITIVE */
export function incompatibilities(level: string, ours: string, earlier: string): string[] {
  const found: string[] = []
  const tryToRead = (reader: string, writer: string, what: string): void => {
    try {
      for (const reason of unreadable(parseSchema(reader), parseSchema(writer), '')) found.push(`${what}: ${reason}`)
    } catch (error) {
      found.push(`${what}: ${messageOf(error)}`) // not Avro at all
    }
  }
  if (!level.startsWith('FORWARD'))
    tryToRead(ours, earlier, 'what was written with the earlier schema would be unreadable')
  if (!level.startsWith('BACKWARD'))
    tryToRead(earlier, ours, 'readers of the earlier schema could not read what we write')
  return found
}

/** Why `reader` can't read what `writer` wrote, field by field: avsc itself does not say in which one the trouble lies. */
function unreadable(reader: avro.Type, writer: avro.Type, path: string): string[] {
  try {
    reader.createResolver(writer)
    return []
  } catch (error) {
    const inside = isRecord(reader) && isRecord(writer) ? inFields(reader, writer, path) : []
    return inside.length > 0 ? inside : [`${path === '' ? '' : `field ${path}: `}${messageOf(error)}`]
  }
}

const inFields = (reader: avro.types.RecordType, writer: avro.types.RecordType, path: string): string[] =>
  reader.fields.flatMap((field) => {
    const written = writer.field(field.name) as avro.types.Field | undefined
    const at = path === '' ? field.name : `${path}.${field.name}`
    if (written) return unreadable(field.type, written.type, at)
    return field.defaultValue() === undefined ? [`field ${at} is not in it, and has no default`] : []
  })

const isRecord = (type: avro.Type): type is avro.types.RecordType => type.typeName === 'record'

/** Whether two JSON texts mean the same Avro schema: names, types, order and units of time; docs and defaults apart. */
export const sameSchema = (one: string, other: string): boolean => {
  if (one === other) return true
  try {
    // avsc compares by the canonical form, which knows no units.
    return parseSchema(one).equals(parseSchema(other)) && findLosses(one, other).length === 0
  } catch {
    return false
  }
}
