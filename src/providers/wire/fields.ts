/**
 * An item as a flat list of named values: what a JSON object, a form and a query have in common.
 *
 * Nothing is lost or merged on the way: a name may occur any number of times, and a value keeps the text it was sent as.
 */
import type { Raw } from '../../core/event.js'

export interface Field {
  /** As sent; nested JSON as `data[id]`, elements of a JSON array as `data[0]`. */
  readonly name: string
  /** A string's content; any other JSON value's text. */
  readonly value: string
  /** `empty`: `{}` or `[]`. */
  readonly type: 'string' | 'number' | 'boolean' | 'null' | 'empty'
}

/** More than any real item has; bounds what one item may cost. */
export const MAX_FIELDS_OF_AN_ITEM = 65_536

/** Characters that fields sent once may take in the `raw` of all the items together that they belong to. */
const MAX_SHARED = 32 * 1024 * 1024
/** What a field takes beside its characters, roughly. */
const FIELD = 32

/** Whether fields that belong to each of so many items would make far more of a body than it is: it could end the process. */
export const tooMuchShared = (items: number, shared: readonly Field[]): boolean => {
  const room = MAX_SHARED / Math.max(1, items)
  let size = 0
  for (const { name, value } of shared) if ((size += name.length + value.length + FIELD) > room) return true
  return false
}

export const find = (fields: readonly Field[], name: string): Field | undefined => {
  for (const field of fields) if (field.name === name) return field
  return undefined
}

/** First field of each name, for items that are asked for many. Smaller than the list when a name is repeated. */
export type FieldIndex = ReadonlyMap<string, Field>
export const indexed = (fields: readonly Field[]): FieldIndex => {
  const index = new Map<string, Field>()
  for (const field of fields) if (!index.has(field.name)) index.set(field.name, field)
  return index
}

/** What a field says, without blanks around it; undefined when it is absent, null, or says nothing. */
export const said = (field: Field | undefined): string | undefined => {
  if (field === undefined || field.type === 'null' || field.type === 'empty') return undefined
  const value = field.value.trim()
  return value === '' ? undefined : value
}

/** The first of these that says something. */
export const firstSaid = (...candidates: readonly (Field | undefined)[]): Field | undefined =>
  candidates.find((field) => said(field) !== undefined)

/**
 * The first of `names` that was sent more than once with different values. Which of them counts can't be known, so
 * such an item is a dead letter (invariant 6).
 */
export const conflicting = (fields: readonly Field[], names: ReadonlySet<string>): string | undefined => {
  let seen: Map<string, Field> | undefined
  for (const field of fields) {
    if (!names.has(field.name)) continue
    seen ??= new Map()
    const first = seen.get(field.name)
    if (first === undefined) seen.set(field.name, field)
    else if (first.value !== field.value || (first.type === 'null') !== (field.type === 'null')) return field.name
  }
  return undefined
}

/** `fields` and more of them; the very list where there is no more, which is the usual case. */
export const joined = (fields: readonly Field[], more: readonly Field[]): readonly Field[] =>
  more.length === 0 ? fields : [...fields, ...more]

/** Every field as sent; a repeated name as `name[0]`, `name[1]`, skipping what was itself sent under such a name. */
export const rawOf = (fields: readonly Field[]): Raw => {
  const raw: Record<string, string> = {}
  for (const field of fields) {
    if (Object.hasOwn(raw, field.name)) return rawOfRepeated(fields)
    put(raw, field.name, field.value)
  }
  return raw
}

const rawOfRepeated = (fields: readonly Field[]): Raw => {
  const values = new Map<string, string[]>()
  for (const { name, value } of fields) {
    const list = values.get(name)
    if (list) list.push(value)
    else values.set(name, [value])
  }
  const raw: Record<string, string> = {}
  for (const [name, list] of values) if (list.length === 1) put(raw, name, list[0] as string)
  for (const [name, list] of values) {
    if (list.length === 1) continue
    let index = 0
    for (const value of list) {
      while (values.has(`${name}[${index}]`) || Object.hasOwn(raw, `${name}[${index}]`)) index++
      raw[`${name}[${index++}]`] = value
    }
  }
  return raw
}

/** An ordinary property whatever its name: `__proto__` is a field like any other, and must not become a prototype. */
const put = (raw: Record<string, string>, name: string, value: string): void => {
  if (name === '__proto__') {
    Object.defineProperty(raw, name, { value, writable: true, enumerable: true, configurable: true })
  } else raw[name] = value
}
