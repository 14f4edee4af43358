/**
 * Whether events can be written with a schema that is not ours (`registry.register: false`) without losing anything.
 *
 * Stricter than Avro's own resolution, which would drop our extra fields, replace unknown symbols by a default and read
 * milliseconds as microseconds: here each of those is a reason to refuse.
 */
import avro from 'avsc'

/** Kept apart from `long` while comparing, so that units are not mixed up. */
class Unit extends avro.types.LogicalType {}
const UNITS = [
  'timestamp-millis',
  'timestamp-micros',
  'timestamp-nanos',
  'local-timestamp-millis',
  'local-timestamp-micros',
  'time-micros',
]

/** A type that values may be written with: units, which avsc does not know, are plain numbers. */
export const parseSchema = (schema: string): avro.Type => avro.Type.forSchema(JSON.parse(schema) as avro.Schema)

/** What our values would lose if they were written as `theirs`; empty if nothing. Both are JSON texts. */
export function findLosses(ours: string, theirs: string): string[] {
  const logicalTypes = Object.fromEntries(UNITS.map((name) => [name, Unit]))
  const parse = (text: string): avro.Type => avro.Type.forSchema(JSON.parse(text) as avro.Schema, { logicalTypes })
  return compare(parse(ours), parse(theirs), '')
}

function compare(ours: avro.Type, theirs: avro.Type, path: string): string[] {
  const at = path === '' ? 'the schema' : path
  if (theirs.typeName.startsWith('union:') || ours.typeName.startsWith('union:'))
    return compareUnions(ours, theirs, path)
  if (ours.typeName !== theirs.typeName) {
    const widened = ours.typeName === 'int' && theirs.typeName === 'long'
    const unitless = ours.typeName === 'logical:timestamp-millis' && theirs.typeName === 'long'
    return widened || unitless ? [] : [`${at} is ${theirs.typeName} there, ${ours.typeName} here`]
  }
  if (ours instanceof avro.types.RecordType) return compareRecords(ours, theirs as avro.types.RecordType, path)
  if (ours instanceof avro.types.MapType)
    return compare(valuesOf(ours), valuesOf(theirs as avro.types.MapType), `${path}[…]`)
  if (ours instanceof avro.types.EnumType) {
    const known = new Set((theirs as avro.types.EnumType).symbols)
    const missing = ours.symbols.filter((symbol) => !known.has(symbol))
    return missing.length > 0 ? [`${at} has no ${missing.join(', ')}`] : []
  }
  return []
}

const valuesOf = (map: avro.types.MapType): avro.Type => map.valuesType as avro.Type

function compareRecords(ours: avro.types.RecordType, theirs: avro.types.RecordType, path: string): string[] {
  const found: string[] = []
  if (ours.name !== theirs.name) found.push(`the record is named ${theirs.name} there, ${ours.name} here`)
  for (const field of ours.fields) {
    const there = theirs.field(field.name) as avro.types.Field | undefined
    const name = path === '' ? field.name : `${path}.${field.name}`
    if (there) found.push(...compare(field.type, there.type, name))
    else found.push(`${name} is missing, its content would be lost`)
  }
  for (const field of theirs.fields) {
    if (!ours.field(field.name) && field.defaultValue() === undefined)
      found.push(`${field.name} is required there, unknown here`)
  }
  return found
}

function compareUnions(ours: avro.Type, theirs: avro.Type, path: string): string[] {
  if (theirs.typeName === 'union:wrapped')
    return [`${path} is a union there whose branches can't be told apart by value`]
  const branches = (type: avro.Type): avro.Type[] =>
    type instanceof avro.types.UnwrappedUnionType ? type.types : [type]
  return branches(ours).flatMap((branch) => {
    const attempts = branches(theirs).map((other) => compare(branch, other, path))
    return attempts.some((attempt) => attempt.length === 0) ? [] : [`${path} can't hold ${branch.typeName} there`]
  })
}
