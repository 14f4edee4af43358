/**
 * Several reports in one set of fields, as PHP and JSON write lists: `msg_id=1&status=A&msg_id=2&status=B`, `msg_id[]=1`,
 * `msg_id[0]=1`, `reports[0][msg_id]=1`, `data[msg_id]=1`.
 *
 * How seven writes its cumulated reports is not published, so every one of these is taken. A group is all fields whose
 * name is the same but for the field's own part: `reports[0]`, `[0]`, `data`, or nothing.
 */
import type { Field } from '../wire/fields.js'

export interface Group {
  /** `reports[0]`; '' for fields without brackets. */
  readonly key: string
  /** Fields of this group by their own part of the name, in the order sent. */
  readonly leaves: ReadonlyMap<string, readonly Field[]>
}

export interface Grouped {
  readonly groups: readonly Group[]
  /** Fields of no report: they belong to each. */
  readonly shared: readonly Field[]
}

const isIndex = (part: string): boolean => /^[0-9]*$/.test(part)

/** `reports[0][msg_id]` is the leaf `msg_id` in the group `reports[0]`; `msg_id[0]` is in the group `[0]`. */
export const split = (name: string): { readonly leaf: string; readonly key: string } => {
  const open = name.indexOf('[')
  if (open < 0 || !name.endsWith(']')) return { leaf: name, key: '' }
  const parts = [name.slice(0, open), ...name.slice(open + 1, -1).split('][')]
  let own = parts.length - 1
  while (own > 0 && isIndex(parts[own] as string)) own--
  const leaf = parts[own] as string
  const prefix = own === 0 ? '' : (parts[0] as string) + bracketed(parts.slice(1, own))
  const suffix = parts.slice(own + 1)
  // `msg_id[]` counts by its place, as if the name were repeated.
  return { leaf, key: prefix + bracketed(suffix.length === 1 && suffix[0] === '' ? [] : suffix) }
}

const bracketed = (parts: readonly string[]): string => parts.map((part) => `[${part}]`).join('')

/**
 * Fields by group. What counts as a report is found by `isWhole`; a group that lies in the same list as such a one
 * (`reports[1]` beside `reports[0]`) and has something of a report is a report too, one that lacks something.
 */
export const group = (
  fields: readonly Field[],
  isWhole: (leaves: ReadonlyMap<string, unknown>) => boolean,
  hasSome: (leaves: ReadonlyMap<string, unknown>) => boolean,
): Grouped => {
  const byKey = new Map<string, Map<string, Field[]>>()
  for (const field of fields) {
    const { leaf, key } = split(field.name)
    let leaves = byKey.get(key)
    if (leaves === undefined) {
      leaves = new Map<string, Field[]>()
      byKey.set(key, leaves)
    }
    const list = leaves.get(leaf)
    if (list) list.push(field)
    else leaves.set(leaf, [field])
  }
  const lists = new Set<string>()
  for (const [key, leaves] of byKey) if (isWhole(leaves)) lists.add(listOf(key))
  const groups: Group[] = []
  const shared: Field[] = []
  const isReport = (key: string, leaves: ReadonlyMap<string, unknown>): boolean =>
    lists.has(listOf(key)) && hasSome(leaves)
  for (const [key, leaves] of byKey) if (isReport(key, leaves)) groups.push({ key, leaves })
  for (const [key, leaves] of byKey) {
    if (isReport(key, leaves)) continue
    const owner = ownerOf(key, byKey, isReport)
    for (const [leaf, list] of leaves) {
      // `reports[0][net][mcc]` is a field of the report `reports[0]`, and of no other.
      if (owner) owner.set(`${key} ${leaf}`, list)
      else for (const field of list) shared.push(field)
    }
  }
  return { groups, shared }
}

/** The leaves of the report inside which this key lies. */
const ownerOf = <Leaves extends ReadonlyMap<string, unknown>>(
  key: string,
  byKey: ReadonlyMap<string, Leaves>,
  isReport: (key: string, leaves: Leaves) => boolean,
): Leaves | undefined => {
  for (let end = key.lastIndexOf('['); end > 0; end = key.lastIndexOf('[', end - 1)) {
    const above = key.slice(0, end)
    const leaves = byKey.get(above)
    if (leaves && isReport(above, leaves)) return leaves
  }
  return undefined
}

const listOf = (key: string): string => key.replace(/[0-9]+/g, '')
