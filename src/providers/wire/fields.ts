/**
 * An item as a flat list of named values, which is what a JSON object, a form and a query have in common.
 *
 * The list loses nothing: a name may occur any number of times, and a value keeps the text that was sent.
 */
import type { Raw } from '../../core/event.js'

export interface Field {
  /** The name as sent. A nested JSON value has a name of the form `data[id]`, an element of a JSON array `data[0]`. */
  readonly name: string
  /** The content of a string; the text of any other JSON value. */
  readonly value: string
  /** The JSON type; `string` for fields of a form or query, `empty` for `{}` and `[]`. */
  readonly type: 'string' | 'number' | 'boolean' | 'null' | 'empty'
  /**
   * The content of a JSON string in which an escape stands for half of a surrogate pair; absent for any other value. No
   * record can hold such a string, so `value` has U+FFFD in its place. Only comparisons use the exact value, because two
   * values may differ in nothing else.
   */
  readonly exact?: string
}

/** More fields than any real item has. The limit bounds the cost of one item. */
export const MAX_FIELDS_PER_ITEM = 65_536

/** The limit for the characters that shared fields add to the `raw` of all items of one body together. */
const MAX_SHARED_CHARACTERS = 32 * 1024 * 1024
/** An estimate of what a field costs beside its characters. */
const FIELD_OVERHEAD_CHARACTERS = 32

/**
 * Whether fields that were sent once, and belong to each of the items, are too large to be repeated in the `raw` of
 * each. Without this limit a small body could exhaust the memory of the process.
 */
export const areTooLargeToShare = (sharedFields: readonly Field[], itemCount: number): boolean => {
  const maxCharacters = MAX_SHARED_CHARACTERS / Math.max(1, itemCount)
  let characters = 0
  for (const { name, value } of sharedFields) {
    characters += name.length + value.length + FIELD_OVERHEAD_CHARACTERS
    if (characters > maxCharacters) return true
  }
  return false
}

/** The first field of that name. */
export const findField = (fields: readonly Field[], name: string): Field | undefined => {
  for (const field of fields) if (field.name === name) return field
  return undefined
}

/** The first field of each name. It has fewer entries than the list has fields if a name is repeated. */
export type FieldsByName = ReadonlyMap<string, Field>
export const indexByName = (fields: readonly Field[]): FieldsByName => {
  const index = new Map<string, Field>()
  for (const field of fields) if (!index.has(field.name)) index.set(field.name, field)
  return index
}

/** @returns the value without white space around it; undefined if the field is absent, null, empty or blank */
export const presentValue = (field: Field | undefined): string | undefined => {
  if (field === undefined || field.type === 'null' || field.type === 'empty') return undefined
  const value = field.value.trim()
  return value === '' ? undefined : value
}

/** @returns the present value for comparisons, in which different values as sent are different */
export const exactValue = (field: Field | undefined): string | undefined =>
  field?.exact === undefined ? presentValue(field) : field.exact.trim()

export const isSameValue = (one: Field, other: Field): boolean => one.value === other.value && one.exact === other.exact

/**
 * The value of fields that only add to an item, such as a reference. The text `null` stands for an absent value. Fields with
 * several values have none, because which of them counts can't be known (invariant 6).
 *
 * @param fields all fields of one meaning
 */
export const unambiguousValue = (fields: readonly Field[]): string | undefined => {
  const [first, ...others] = fields
  if (first === undefined || !others.every((field) => isSameValue(first, field))) return undefined
  const value = presentValue(first)
  return value === 'null' ? undefined : value
}

/** The first of these fields that has a present value. */
export const firstPresent = (...candidates: readonly (Field | undefined)[]): Field | undefined =>
  candidates.find((field) => presentValue(field) !== undefined)

/**
 * The first of the names that was sent more than once with different values. Which of the values counts can't be known,
 * so such an item becomes a dead letter (invariant 6).
 */
export const findConflict = (fields: readonly Field[], names: ReadonlySet<string>): string | undefined => {
  let seen: Map<string, Field> | undefined
  for (const field of fields) {
    if (!names.has(field.name)) continue
    seen ??= new Map()
    const first = seen.get(field.name)
    if (first === undefined) seen.set(field.name, field)
    else if (!isSameValue(first, field) || (first.type === 'null') !== (field.type === 'null')) return field.name
  }
  return undefined
}

/** The fields of an item when some came in the query of the request, and others in its body or in a row of the body. */
export interface MergedFields {
  /** The fields of the body, and those fields of the query whose names the body does not have. */
  readonly fields: readonly Field[]
  /** The fields of the query whose names the body has as well. They only go into `raw`. */
  readonly rawOnly: readonly Field[]
  /** A name that query and body have with different values. */
  readonly conflict: string | undefined
}

/** @param interpreted the names whose values decide what the item means; fields of other names may differ */
export const mergeQuery = (
  bodyFields: readonly Field[],
  queryFields: readonly Field[],
  interpreted: ReadonlySet<string>,
): MergedFields => {
  if (queryFields.length === 0) return { fields: bodyFields, rawOnly: [], conflict: undefined }
  if (bodyFields.length === 0) return { fields: queryFields, rawOnly: [], conflict: undefined }
  const inBody = indexByName(bodyFields)
  const differs = (field: Field): boolean => {
    const first = inBody.get(field.name)
    return first !== undefined && !isSameValue(first, field)
  }
  const rawOnly = queryFields.filter(({ name }) => inBody.has(name))
  return {
    fields: [...bodyFields, ...queryFields.filter(({ name }) => !inBody.has(name))],
    rawOnly,
    conflict: rawOnly.find((field) => interpreted.has(field.name) && differs(field))?.name,
  }
}

/** Joins two lists. It returns the first one itself if the second is empty, which is the usual case. */
export const concatFields = (fields: readonly Field[], more: readonly Field[]): readonly Field[] =>
  more.length === 0 ? fields : [...fields, ...more]

/**
 * Puts every field into `raw`. A repeated name becomes `name[0]`, `name[1]`, without the names that were sent as such.
 */
export const toRaw = (fields: readonly Field[]): Raw => {
  const raw: Record<string, string> = {}
  for (const field of fields) {
    if (Object.hasOwn(raw, field.name)) return toRawWithIndexes(fields)
    setProperty(raw, field.name, field.value)
  }
  return raw
}

const toRawWithIndexes = (fields: readonly Field[]): Raw => {
  const valuesByName = new Map<string, string[]>()
  for (const { name, value } of fields) {
    const values = valuesByName.get(name)
    if (values) values.push(value)
    else valuesByName.set(name, [value])
  }
  const raw: Record<string, string> = {}
  for (const [name, values] of valuesByName) {
    if (values.length === 1) setProperty(raw, name, values[0] as string)
  }
  for (const [name, values] of valuesByName) {
    if (values.length === 1) continue
    let index = 0
    for (const value of values) {
      while (valuesByName.has(`${name}[${index}]`) || Object.hasOwn(raw, `${name}[${index}]`)) index++
      raw[`${name}[${index}]`] = value
      index++
    }
  }
  return raw
}

/** Sets a property of any name. A plain assignment to `__proto__` would set the prototype. */
const setProperty = (raw: Record<string, string>, name: string, value: string): void => {
  if (name === '__proto__') {
    Object.defineProperty(raw, name, { value, writable: true, enumerable: true, configurable: true })
  } else raw[name] = value
}
