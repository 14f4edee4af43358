/**
 * Finds out whether events can be written with a schema of somebody else (`registry.register: false`) without losing
 * data.
 *
 * The comparison is stricter than Avro's schema resolution, which would drop fields that only our schema has, replace
 * unknown enum symbols by a default, and read milliseconds as microseconds. Each of these counts as a loss here.
 */
import avro from 'avsc'

/** Makes avsc keep the time units below apart from `long` while schemas are compared. */
class TimeUnit extends avro.types.LogicalType {}
const TIME_UNITS = [
  'timestamp-millis',
  'timestamp-micros',
  'timestamp-nanos',
  'local-timestamp-millis',
  'local-timestamp-micros',
  'time-micros',
]

const OURS = "in the connector's"
const THEIRS = 'in the registered schema'

/**
 * Lists what events of schema `ours` would lose if they were written with schema `theirs`. Each reason names the field and,
 * in capitals, the rule that it breaks.
 * @throws Error if one of the two JSON texts is not an Avro schema
 */
export function findDataLosses(ours: string, theirs: string): string[] {
  return compareTypes(parseWithTimeUnits(ours), parseWithTimeUnits(theirs), '')
}

/** Parses the JSON text of a schema so that its units of time can be compared. @throws Error if it is not Avro */
export function parseWithTimeUnits(text: string): avro.Type {
  const logicalTypes = Object.fromEntries(TIME_UNITS.map((name) => [name, TimeUnit]))
  return avro.Type.forSchema(JSON.parse(text) as avro.Schema, { logicalTypes })
}

function compareTypes(ours: avro.Type, theirs: avro.Type, path: string): string[] {
  const location = path === '' ? 'the schema' : path
  if (theirs.typeName.startsWith('union:') || ours.typeName.startsWith('union:')) {
    return compareUnions(ours, theirs, path)
  }
  if (ours.typeName !== theirs.typeName) {
    const isWidened = ours.typeName === 'int' && theirs.typeName === 'long'
    const isWithoutUnit = ours.typeName === 'logical:timestamp-millis' && theirs.typeName === 'long'
    return isWidened || isWithoutUnit
      ? []
      : [`${location} is ${theirs.typeName} ${THEIRS}, ${ours.typeName} ${OURS} (TYPE_MISMATCH)`]
  }
  if (ours instanceof avro.types.RecordType) return compareRecords(ours, theirs as avro.types.RecordType, path)
  if (ours instanceof avro.types.MapType) {
    return compareTypes(valuesTypeOf(ours), valuesTypeOf(theirs as avro.types.MapType), `${path}[…]`)
  }
  if (ours instanceof avro.types.EnumType) {
    const known = new Set((theirs as avro.types.EnumType).symbols)
    const missing = ours.symbols.filter((symbol) => !known.has(symbol))
    return missing.length > 0 ? [`${location} has no ${missing.join(', ')} ${THEIRS} (MISSING_ENUM_SYMBOLS)`] : []
  }
  return []
}

const valuesTypeOf = (map: avro.types.MapType): avro.Type => map.valuesType as avro.Type

function compareRecords(ours: avro.types.RecordType, theirs: avro.types.RecordType, path: string): string[] {
  const losses: string[] = []
  if (withoutNamespace(ours.name) !== withoutNamespace(theirs.name))
    losses.push(`the record is named ${theirs.name} ${THEIRS}, ${ours.name} ${OURS} (NAME_MISMATCH)`)
  for (const field of ours.fields) {
    const theirField = fieldOf(theirs, field.name)
    const fieldPath = path === '' ? field.name : `${path}.${field.name}`
    if (theirField) losses.push(...compareTypes(field.type, theirField.type, fieldPath))
    else losses.push(`${fieldPath} is missing ${THEIRS}, so its content would be lost (FIELD_MISSING)`)
  }
  for (const field of theirs.fields) {
    const isRequired = fieldOf(ours, field.name) === undefined && field.defaultValue() === undefined
    if (isRequired) losses.push(`${field.name} is required ${THEIRS}, and missing ${OURS} (FIELD_REQUIRED)`)
  }
  return losses
}

/** `field` of avsc also finds what every object inherits, such as `toString`. */
const fieldOf = ({ fields }: avro.types.RecordType, name: string): avro.types.Field | undefined =>
  fields.find((field) => field.name === name)

function compareUnions(ours: avro.Type, theirs: avro.Type, path: string): string[] {
  if (theirs.typeName === 'union:wrapped') {
    return [`${path} is a union ${THEIRS} whose branches can't be told apart by value (AMBIGUOUS_UNION)`]
  }
  const branchesOf = (type: avro.Type): avro.Type[] =>
    type instanceof avro.types.UnwrappedUnionType ? type.types : [type]
  return branchesOf(ours).flatMap((branch) => {
    const ofSameKind = branchesOf(theirs).find(({ typeName }) => typeName === branch.typeName)
    const isWritable = branchesOf(theirs).some((other) => compareTypes(branch, other, path).length === 0)
    if (isWritable) return []
    // The branch of the same kind tells more than the fact that no branch fits.
    if (ofSameKind) return compareTypes(branch, ofSameKind, path)
    return [`${path} can't hold ${branch.typeName} ${THEIRS} (MISSING_UNION_BRANCH)`]
  })
}

/** The owner of a registry may keep its own namespace, which no record holds. Avro compares names without it as well. */
const withoutNamespace = (name = ''): string => name.slice(name.lastIndexOf('.') + 1)
