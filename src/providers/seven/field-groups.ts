/**
 * Groups fields into items where one request carries several, in the ways in which PHP and JSON write lists:
 * `msg_id=1&status=A&msg_id=2&status=B`, `msg_id[]=1`, `msg_id[0]=1`, `reports[0][msg_id]=1`, `data[msg_id]=1`.
 *
 * seven does not publish the form of its cumulated reports, so all of these are accepted. The leaf of a name is the
 * part that names the field itself (`msg_id`), and the rest is the key of its group: `reports[0]`, `[0]`, `data`, or
 * nothing.
 */
import type { Field } from '../wire/fields.js'

/** The fields of a group by their leaves, in the order sent. */
export type FieldsByLeaf = ReadonlyMap<string, readonly Field[]>

export interface FieldGroup {
  /** For example `reports[0]`; empty for fields without brackets. */
  readonly key: string
  readonly fieldsByLeaf: FieldsByLeaf
}

export interface GroupedFields {
  /** One group for each item, or for several whose fields have the same names. */
  readonly groups: readonly FieldGroup[]
  /** The fields of no group. They belong to each item. */
  readonly shared: readonly Field[]
}

const LEAVES = ['msg_id', 'status', 'timestamp', 'id', 'sender', 'system', 'text', 'time'] as const

/** The leaves that decide what a callback means. Fields with other leaves only go into `raw`. */
export const INTERPRETED_LEAVES: ReadonlySet<string> = new Set(['webhook_event', ...LEAVES])

/** The names that decide what a callback means, if it has no lists. */
export const INTERPRETED_FIELDS: ReadonlySet<string> = new Set([
  ...INTERPRETED_LEAVES,
  ...LEAVES.map((leaf) => `data[${leaf}]`),
])

const isIndex = (part: string): boolean => /^[0-9]*$/.test(part)

/**
 * Splits `reports[0][msg_id]` into the leaf `msg_id` and the key `reports[0]`, and `msg_id[0]` into `msg_id` and `[0]`.
 */
export const splitName = (name: string): { readonly leaf: string; readonly key: string } => {
  const bracket = name.indexOf('[')
  if (bracket < 0 || !name.endsWith(']')) return { leaf: name, key: '' }
  const parts = [name.slice(0, bracket), ...name.slice(bracket + 1, -1).split('][')]
  let leafIndex = parts.length - 1
  while (leafIndex > 0 && isIndex(parts[leafIndex] as string)) leafIndex--
  const prefix = leafIndex === 0 ? '' : (parts[0] as string) + inBrackets(parts.slice(1, leafIndex))
  const suffix = parts.slice(leafIndex + 1)
  // `msg_id[]` is the same as a repeated `msg_id`: its place in the request counts.
  const isRepeated = suffix.length === 1 && suffix[0] === ''
  return { leaf: parts[leafIndex] as string, key: prefix + inBrackets(isRepeated ? [] : suffix) }
}

const inBrackets = (parts: readonly string[]): string => parts.map((part) => `[${part}]`).join('')

/**
 * @param isItem whether a group with these leaves is an item
 * @param isPartOfItem whether a group with these leaves is an item that lacks something, if it stands in the same list
 * as an item (`reports[1]` beside `reports[0]`)
 */
export const groupFields = (
  fields: readonly Field[],
  isItem: (leaves: FieldsByLeaf) => boolean,
  isPartOfItem: (leaves: FieldsByLeaf) => boolean,
): GroupedFields => {
  const byKey = groupByKey(fields)
  const lists = new Set<string>()
  for (const [key, leaves] of byKey) if (isItem(leaves)) lists.add(withoutIndexes(key))
  const items = new Map<string, MutableFieldsByLeaf>()
  for (const [key, leaves] of byKey) {
    if (lists.has(withoutIndexes(key)) && isPartOfItem(leaves)) items.set(key, leaves)
  }
  const shared: Field[] = []
  for (const [key, leaves] of byKey) {
    if (items.has(key)) continue
    const owner = findOwner(key, items)
    for (const [leaf, list] of leaves) {
      // `reports[0][net][mcc]` belongs to the item `reports[0]` and to no other one.
      if (owner) owner.set(`${key} ${leaf}`, list)
      else for (const field of list) shared.push(field)
    }
  }
  return { groups: Array.from(items, ([key, fieldsByLeaf]) => ({ key, fieldsByLeaf })), shared }
}

type MutableFieldsByLeaf = Map<string, Field[]>

const groupByKey = (fields: readonly Field[]): Map<string, MutableFieldsByLeaf> => {
  const byKey = new Map<string, MutableFieldsByLeaf>()
  for (const field of fields) {
    const { leaf, key } = splitName(field.name)
    let leaves = byKey.get(key)
    if (leaves === undefined) {
      leaves = new Map()
      byKey.set(key, leaves)
    }
    const list = leaves.get(leaf)
    if (list) list.push(field)
    else leaves.set(leaf, [field])
  }
  return byKey
}

/** Finds the innermost item that the key lies in. */
const findOwner = (key: string, items: ReadonlyMap<string, MutableFieldsByLeaf>): MutableFieldsByLeaf | undefined => {
  for (let end = key.lastIndexOf('['); end > 0; end = key.lastIndexOf('[', end - 1)) {
    const owner = items.get(key.slice(0, end))
    if (owner) return owner
  }
  return undefined
}

/** `reports[0]` and `reports[1]` stand in the same list, `reports[]`. */
const withoutIndexes = (key: string): string => key.replace(/[0-9]+/g, '')
