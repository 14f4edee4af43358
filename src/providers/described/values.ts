/** Reads values from the fields of an item by the names that a description gives. */
import { type Field, type FieldsByName, presentValue, unambiguousValue } from '../wire/fields.js'

/** The fields of one item while it is read. */
export interface ItemFields {
  /** The fields that were sent, in order. */
  readonly fields: readonly Field[]
  /** The first field of each name. */
  readonly byName: FieldsByName
}

/** A value of an item. */
export interface Value {
  /** The value without white space around it; never empty. */
  readonly text: string
  /** The value as sent. */
  readonly sent: string
  /** The value for comparisons, in which different values as sent are different. */
  readonly exact: string
}

export type ReadValue = (item: ItemFields) => Value | undefined

const JOINT = ' + '
const CONSTANT = '='
/** Stands between the values of names that are joined. */
const SEPARATOR = ':'

/** Returns the names of fields in a list of a description, without constants and with joined names taken apart. */
export const fieldNamesIn = (names: readonly string[]): string[] =>
  names.filter((name) => !name.startsWith(CONSTANT)).flatMap((name) => name.split(JOINT))

/**
 * @param names as in the description
 * @param separator what stands between joined values
 */
export const valueReader = (names: readonly string[], separator = SEPARATOR): ReadValue => {
  const readers = names.map((name) => readerOf(name, separator))
  const [only] = readers
  if (readers.length === 1 && only !== undefined) return only
  return (item) => {
    for (const read of readers) {
      const value = read(item)
      if (value !== undefined) return value
    }
    return undefined
  }
}

const readerOf = (name: string, separator: string): ReadValue => {
  if (name.startsWith(CONSTANT)) {
    const text = name.slice(CONSTANT.length)
    const value = { text, sent: text, exact: text }
    return () => value
  }
  const joined = name.split(JOINT)
  if (joined.length === 1) return (item) => valueOf(item.byName.get(name))
  const parts = joined.map((part) => readerOf(part, separator))
  return (item) => {
    const values: Value[] = []
    for (const read of parts) {
      const value = read(item)
      if (value === undefined) return undefined
      values.push(value)
    }
    const text = values.map((value) => value.text).join(separator)
    // The lengths keep values apart that would be the same after joining, for example a:b and c from a and b:c.
    const exact = values.map((value) => `${value.exact.length}${SEPARATOR}${value.exact}`).join(SEPARATOR)
    return { text, sent: text, exact }
  }
}

const valueOf = (field: Field | undefined): Value | undefined => {
  const text = presentValue(field)
  if (field === undefined || text === undefined) return undefined
  return { text, sent: field.value, exact: field.exact?.trim() ?? text }
}

/**
 * Reads a value that only adds to an item, such as a reference. A field with several values has none, because which of them
 * counts can't be known, and the text `null` stands for an absent value.
 */
export const additionReader = (
  names: readonly string[] | undefined,
  separator?: string,
): ((item: ItemFields) => string | undefined) => {
  if (names === undefined) return () => undefined
  const read = valueReader(names, separator)
  const interpreted = new Set(fieldNamesIn(names))
  return (item) => {
    const value = read(item)
    if (value === undefined || value.text === 'null') return undefined
    if (item.byName.size === item.fields.length) return value.text
    const isAmbiguous = [...interpreted].some((name) => {
      const all = item.fields.filter((field) => field.name === name)
      return all.length > 1 && unambiguousValue(all) === undefined
    })
    return isAmbiguous ? undefined : value.text
  }
}
