/**
 * Compares two versions of an Avro schema by the rules of Avro's schema resolution.
 *
 * It serves registries that refuse a schema without a reason, and subjects in which the registry accepts a schema that
 * consumers can't work with. The errors of avsc name no field, and avsc compares full names, where the specification
 * compares names without their namespace. So this file compares the types itself.
 */
import avro from 'avsc'
import { messageOf } from '../core/errors.js'
import { findDataLosses, parseWithTimeUnits } from './data-loss.js'
import { isUnion, parseSchema } from './schemas.js'

/**
 * Lists why `schema` may not follow `earlier` in a subject. It serves registries that refuse a schema without a reason.
 * @param level the compatibility level of the subject: BACKWARD, FORWARD or FULL, each with or without _TRANSITIVE
 */
export function findIncompatibilities(level: string, schema: string, earlier: string): string[] {
  const found: string[] = []
  if (!level.startsWith('FORWARD')) {
    const reasons = findUnreadable(schema, earlier)
    found.push(...reasons.map((reason) => `records written with the earlier schema would be unreadable: ${reason}`))
  }
  if (!level.startsWith('BACKWARD')) {
    const reasons = findUnreadable(earlier, schema)
    found.push(...reasons.map((reason) => `readers of the earlier schema could not read new records: ${reason}`))
  }
  return found
}

/**
 * Lists why a consumer with the schema `reader` can't read records that were written with the schema `writer`. Each reason
 * names the field and, in capitals, the rule of Avro's SchemaCompatibility that it breaks. Times in another unit count as
 * unreadable as well: Avro would read them as numbers, and they would be wrong by a factor of a thousand.
 */
export function findUnreadable(reader: string, writer: string): string[] {
  try {
    return new ResolutionCheck().compare(parseWithTimeUnits(reader), parseWithTimeUnits(writer), '')
  } catch (error) {
    return [`one of the two schemas is not an Avro schema: ${messageOf(error)}`]
  }
}

/** The types that Avro reads a written type as, besides the type itself. */
const PROMOTIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['int', ['long', 'float', 'double']],
  ['long', ['float', 'double']],
  ['float', ['double']],
  ['string', ['bytes']],
  ['bytes', ['string']],
])

/** One comparison of a reader's schema with a writer's. */
class ResolutionCheck {
  /** Pairs of records that are being compared. A record may contain itself. */
  readonly #pending = new Map<avro.Type, Set<avro.Type>>()

  compare(reader: avro.Type, writer: avro.Type, path: string): string[] {
    // Each branch that may have been written must be readable.
    if (isUnion(writer)) return [...new Set(writer.types.flatMap((branch) => this.compare(reader, branch, path)))]
    if (isUnion(reader)) return this.#compareWithBranches(reader.types, writer, path)
    if (isLogical(reader) || isLogical(writer)) return this.#compareLogical(reader, writer, path)
    if (reader.typeName !== writer.typeName) {
      const isPromoted = PROMOTIONS.get(writer.typeName)?.includes(reader.typeName) ?? false
      return isPromoted ? [] : [mismatch(reader, writer, path)]
    }
    if (reader instanceof avro.types.ArrayType) {
      return this.compare(itemsTypeOf(reader), itemsTypeOf(writer as avro.types.ArrayType), `${path}[]`)
    }
    if (reader instanceof avro.types.MapType) {
      return this.compare(valuesTypeOf(reader), valuesTypeOf(writer as avro.types.MapType), `${path}[…]`)
    }
    if (reader instanceof avro.types.RecordType)
      return this.#compareRecords(reader, writer as avro.types.RecordType, path)
    if (reader instanceof avro.types.EnumType) return compareEnums(reader, writer as avro.types.EnumType, path)
    if (reader instanceof avro.types.FixedType) return compareFixed(reader, writer as avro.types.FixedType, path)
    return []
  }

  #compareWithBranches(branches: readonly avro.Type[], writer: avro.Type, path: string): string[] {
    const results = branches.map((branch) => this.compare(branch, writer, path))
    if (results.some((reasons) => reasons.length === 0)) return []
    // The branch of the same kind tells more than the fact that no branch fits.
    const ofSameKind = branches.findIndex(
      (branch) => underlyingTypeOf(branch).typeName === underlyingTypeOf(writer).typeName,
    )
    if (ofSameKind !== -1) return results[ofSameKind]!
    const expected = branches.map(nameOf).join(' or ')
    return [`${at(path)}${nameOf(writer)} is written where ${expected} is expected (MISSING_UNION_BRANCH)`]
  }

  #compareLogical(reader: avro.Type, writer: avro.Type, path: string): string[] {
    const isSameUnit = reader.typeName === writer.typeName
    if (isSameUnit || !isLogical(reader) || !isLogical(writer)) {
      return this.compare(underlyingTypeOf(reader), underlyingTypeOf(writer), path)
    }
    return [`${at(path)}${nameOf(writer)} would be read as ${nameOf(reader)}`]
  }

  #compareRecords(reader: avro.types.RecordType, writer: avro.types.RecordType, path: string): string[] {
    const pending = this.#pending.get(reader) ?? new Set()
    if (pending.has(writer)) return []
    this.#pending.set(reader, pending.add(writer))
    const reasons = [...compareNames(reader, writer, path)]
    const missing: string[] = []
    for (const field of reader.fields) {
      const fieldPath = path === '' ? field.name : `${path}.${field.name}`
      const written = writer.fields.find(({ name }) => name === field.name || field.aliases.includes(name))
      if (written) reasons.push(...this.compare(field.type, written.type, fieldPath))
      else if (field.defaultValue() === undefined) missing.push(fieldPath)
    }
    if (missing.length > 0) reasons.push(describeMissing(missing))
    pending.delete(writer)
    return reasons
  }
}

const describeMissing = (fields: readonly string[]): string => {
  const rule = '(READER_FIELD_MISSING_DEFAULT_VALUE)'
  const [first] = fields
  if (fields.length === 1) return `field ${first} is missing in the records and has no default ${rule}`
  return `fields ${fields.join(', ')} are missing in the records and have no default ${rule}`
}

function compareEnums(reader: avro.types.EnumType, writer: avro.types.EnumType, path: string): string[] {
  const reasons = compareNames(reader, writer, path)
  const { default: fallback } = reader as { default?: string }
  const unknown = writer.symbols.filter((symbol) => !reader.symbols.includes(symbol))
  if (unknown.length > 0 && fallback === undefined) {
    const problem = `${unknown.join(', ')} may be written, which the reader does not know and has no default for`
    reasons.push(`${at(path)}${problem} (MISSING_ENUM_SYMBOLS)`)
  }
  return reasons
}

function compareFixed(reader: avro.types.FixedType, writer: avro.types.FixedType, path: string): string[] {
  const reasons = compareNames(reader, writer, path)
  if (reader.size !== writer.size) {
    reasons.push(`${at(path)}${writer.size} bytes are written, ${reader.size} are expected (FIXED_SIZE_MISMATCH)`)
  }
  return reasons
}

/** Avro compares names without their namespace. An alias of the reader's type is a name of it as well. */
function compareNames(reader: avro.Type, writer: avro.Type, path: string): string[] {
  const { aliases = [] } = reader as { aliases?: readonly string[] }
  const names = [nameOf(reader), ...aliases].map(withoutNamespace)
  if (names.includes(withoutNamespace(nameOf(writer)))) return []
  return [`${at(path)}${nameOf(writer)} is written where ${nameOf(reader)} is expected (NAME_MISMATCH)`]
}

const mismatch = (reader: avro.Type, writer: avro.Type, path: string): string =>
  `${at(path)}${nameOf(writer)} can't be read as ${nameOf(reader)} (TYPE_MISMATCH)`

const at = (path: string): string => (path === '' ? '' : `field ${path}: `)

const withoutNamespace = (name: string): string => name.slice(name.lastIndexOf('.') + 1)

/** The name of a record, enum or fixed type, and the type's kind for every other type. */
const nameOf = (type: avro.Type): string => type.name ?? kindOf(type)

const kindOf = (type: avro.Type): string => type.typeName.replace(/^logical:/, '')

const isLogical = (type: avro.Type): boolean => type.typeName.startsWith('logical:')

const underlyingTypeOf = (type: avro.Type): avro.Type =>
  isLogical(type) ? (type as avro.types.LogicalType).underlyingType : type

const itemsTypeOf = (array: avro.types.ArrayType): avro.Type => array.itemsType

const valuesTypeOf = (map: avro.types.MapType): avro.Type => map.valuesType as avro.Type

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
