/** Builds a provider from the description of an aggregator's wire format. */
import type { Received } from '../../core/received.js'
import type { Item, Provider } from '../provider.js'
import { decodeBody, trimWhiteSpace, type DecodedBody } from '../wire/body.js'
import { conflictDeadLetter, deadLetter, decodeSafely, sharedFieldsDeadLetter } from '../wire/dead-letter.js'
import { areTooLargeToShare, concatFields, type Field, indexByName, mergeQuery } from '../wire/fields.js'
import { formFields, readFormBody } from '../wire/form-fields.js'
import { jsonFields } from '../wire/json-fields.js'
import { beginsLikeJson, findRows, type FoundRows, readEnvelope, readRows } from '../wire/json-rows.js'
import { OPEN_OBJECT } from '../wire/json-tokenizer.js'
import { readMultipart } from '../wire/multipart.js'
import { hasRowsAt } from '../wire/queue-answer.js'
import type { Description, ItemDescription } from './description.js'
import { type FoundItem, itemReader, type ItemReader } from './items.js'
import { keysOfPath } from './paths.js'
import { describedQueue, keysOfQueue, notAPage } from './queue.js'

export const describedProvider = (description: Description): Provider => {
  const decoder = new DescribedDecoder(description, false)
  const { provider: name, pull, items } = description
  const hasSubscriptions = items.some(({ kind }) => kind === 'subscription')
  const subscribedDecoder = hasSubscriptions ? new DescribedDecoder(description, true) : decoder
  return {
    name,
    decode: (received, { handlesSubscriptions }) =>
      decodeSafely(() => (handlesSubscriptions ? subscribedDecoder : decoder).decode(received), received.body),
    ...(pull && { pull: describedQueue(pull) }),
  }
}

/** The items of a description that are found at the same place of a request. */
interface ItemGroup {
  /** The keys that lead to the rows; empty if the whole request is an item. */
  readonly keys: readonly string[]
  /** The keys that lead from a row to the rows inside it; empty if there are none. */
  readonly innerKeys: readonly string[]
  /** The fields whose text is JSON. */
  readonly json: readonly string[]
  readonly readers: ItemReader[]
  /** The fields that decide what an item of the group means. */
  readonly decidingFields: Set<string>
}

class DescribedDecoder {
  readonly #title: string
  readonly #groups: readonly ItemGroup[]
  /** The keys that lead to the rows of a page; undefined for a provider without a queue. */
  readonly #queueKeys: readonly string[] | undefined

  constructor({ title, items, pull }: Description, handlesSubscriptions: boolean) {
    this.#title = title
    this.#groups = groupItems(items, handlesSubscriptions)
    this.#queueKeys = pull && keysOfQueue(pull)
  }

  *decode(received: Received): Generator<Item, void, undefined> {
    const { body } = received
    const decoded = decodeBody(received)
    if ('kind' in decoded) {
      yield decoded
      return
    }
    if (received.via === 'PULL' && this.#queueKeys !== undefined) {
      yield* this.#decodePage(this.#queueKeys, received, decoded)
      return
    }
    const query = formFields(received.facts.query)
    const content = trimWhiteSpace(decoded.bytes)
    if (beginsLikeJson(content)) {
      yield* this.#decodeJson(decoded, body, query)
      return
    }
    const bodyFields = readMultipart(received, decoded) ?? readFormBody(content, decoded.readText, body)
    if ('kind' in bodyFields) {
      yield bodyFields
      return
    }
    const wholes = this.#groups.filter(isWholeRequest)
    const item = wholes.length === 0 ? undefined : this.#readWhole(wholes, bodyFields, query, body)
    yield* item ?? [deadLetter('not-a-report', this.#describeUnknown([...bodyFields, ...query]), body)]
  }

  /** The query is that of the address of the queue, and tells nothing about the items. */
  *#decodePage(keys: readonly string[], received: Received, decoded: DecodedBody): Generator<Item, void, undefined> {
    const found = findRows(decoded.bytes, ...keys)
    if (!hasRowsAt(keys, found, decoded.bytes)) {
      yield notAPage(received, keys)
      return
    }
    if (found.rows.count === 0 && found.remainder === undefined) return
    const path = keys.join('.')
    const group = this.#groups.find((each) => each.innerKeys.length === 0 && each.keys.join('.') === path)
    yield* this.#readRows(found, decoded, received.body, [], keys.length === 0 ? undefined : group)
  }

  /** Tries the groups in order: the first one whose place the body has reads what is there. */
  *#decodeJson(decoded: DecodedBody, body: Uint8Array, query: readonly Field[]): Generator<Item, void, undefined> {
    for (const group of this.#groups) {
      if (isWholeRequest(group)) {
        const items = this.#readSingleObject(group, decoded, query, body)
        if (items === undefined) continue
        yield* items
        return
      }
      const found = findRows(decoded.bytes, ...group.keys)
      if (!found.hasKey) continue
      yield* this.#readRows(found, decoded, body, query, group)
      return
    }
    yield* this.#readRows(findRows(decoded.bytes), decoded, body, query)
  }

  /** @returns undefined if the body is not one object, or if no item of the group is what the object describes */
  #readSingleObject(
    group: ItemGroup,
    { bytes, readText }: DecodedBody,
    query: readonly Field[],
    body: Uint8Array,
  ): readonly Item[] | undefined {
    if (this.#groups.length === 1 || trimWhiteSpace(bytes)[0] !== OPEN_OBJECT) return undefined
    const fields = jsonFields(readText(bytes))
    return Array.isArray(fields) ? this.#readWhole([group], fields, query, body) : undefined
  }

  #readWhole(
    groups: readonly ItemGroup[],
    bodyFields: readonly Field[],
    query: readonly Field[],
    body: Uint8Array,
  ): readonly Item[] | undefined {
    for (const group of groups) {
      const items = readItem(group, bodyFields, query, [], body)
      if (items !== undefined) return items
    }
    return undefined
  }

  /** @param group the group that the rows belong to; undefined for rows that stand alone */
  *#readRows(
    found: FoundRows,
    decoded: DecodedBody,
    body: Uint8Array,
    query: readonly Field[],
    group?: ItemGroup,
  ): Generator<Item, void, undefined> {
    const { count } = found.rows
    if (count === 0 && found.remainder === undefined) {
      yield deadLetter('not-a-report', 'the list in the body is empty', body)
      return
    }
    if (areTooLargeToShare(query, count)) {
      yield sharedFieldsDeadLetter(count, body)
      return
    }
    const envelope = readEnvelope(found, decoded, ...(group?.keys ?? []))
    yield* envelope.deadLetters
    const hasDecidingEnvelope = envelope.fields.some(({ name }) => group?.decidingFields.has(name))
    const shared = { fields: envelope.fields, query, body: hasDecidingEnvelope ? body : undefined }
    yield* readRows(found, decoded, body, (fields, row) => {
      if (group === undefined) return this.#readRowAlone(fields, row, decoded, shared)
      if (group.innerKeys.length === 0) return this.#readRow(group, fields, shared, row)
      return this.#readInnerRows(group, row, decoded, shared)
    })
  }

  /** Reads a row without the list around it, such as the body of a dead letter, by the first group that can read it. */
  #readRowAlone(fields: readonly Field[], row: Uint8Array, decoded: DecodedBody, shared: SharedFields): Iterable<Item> {
    let refused: readonly Item[] | undefined
    for (const group of this.#groups) {
      if (group.innerKeys.length > 0) {
        if (findRows(row, ...group.innerKeys).hasKey) return this.#readInnerRows(group, row, decoded, shared)
        continue
      }
      const items = readItem(group, fields, shared.query, shared.fields, row)
      if (items?.every(({ kind }) => kind !== 'dead-letter')) return items
      refused ??= items
    }
    return refused ?? [deadLetter('not-a-report', this.#describeUnknown(fields), row)]
  }

  *#readInnerRows(
    group: ItemGroup,
    row: Uint8Array,
    decoded: DecodedBody,
    shared: SharedFields,
  ): Generator<Item, void, undefined> {
    const inRow = { bytes: row, readText: decoded.readText }
    const found = findRows(row, ...group.innerKeys)
    const outer = readEnvelope(found, inRow, ...group.innerKeys)
    yield* outer.deadLetters
    if (!found.hasKey || found.rows.count === 0) {
      const detail = `an element of the list ${group.keys.join('.')} has no ${group.innerKeys.join('.')}, so it is about no single message`
      yield deadLetter('missing-id', detail, shared.body ?? row)
      return
    }
    const prefix = group.keys.at(-1) ?? ''
    const outerFields = outer.fields.map((field) => ({ ...field, name: nameWithin(prefix, field.name) }))
    if (areTooLargeToShare([...shared.fields, ...outerFields], found.rows.count)) {
      yield sharedFieldsDeadLetter(found.rows.count, shared.body ?? row)
      return
    }
    const innerName = group.innerKeys.at(-1)!
    const inner = { ...shared, fields: [...outerFields, ...shared.fields] }
    for (const bytes of found.rows.slices(row)) {
      const text = decoded.readText(bytes)
      // An element that is no object is the value of a field with the name of the list.
      const fields = jsonFields(bytes[0] === OPEN_OBJECT ? text : `{${JSON.stringify(innerName)}:${text}}`)
      if (Array.isArray(fields)) yield* this.#readRow(group, fields, inner, shared.body ?? row)
      else yield deadLetter(fields.reason, `the row can't be read: ${fields.detail}`, shared.body ?? row)
    }
  }

  #readRow(group: ItemGroup, rowFields: readonly Field[], shared: SharedFields, row: Uint8Array): readonly Item[] {
    const body = shared.body ?? row
    const items = readItem(group, rowFields, shared.query, shared.fields, body)
    return items ?? [deadLetter('not-a-report', this.#describeUnknown(rowFields), body)]
  }

  #describeUnknown(fields: readonly Field[]): string {
    const names = [...new Set(fields.map(({ name }) => name))].slice(0, MAX_NAMES_SHOWN).join(', ').slice(0, 300)
    const found = names === '' ? 'there are no fields' : `the fields are ${names}`
    return `${found}: this is none of the items that the description of ${this.#title} names`
  }
}

const MAX_NAMES_SHOWN = 20

/** What the items of one request have in common. */
interface SharedFields {
  /** The fields beside the rows. */
  readonly fields: readonly Field[]
  readonly query: readonly Field[]
  /** The whole body if an item can't be read without the fields beside the rows, else undefined. */
  readonly body: Uint8Array | undefined
}

const isWholeRequest = ({ keys, innerKeys }: ItemGroup): boolean => keys.length === 0 && innerKeys.length === 0

const ARRAY_OF_ROWS = '[]'

const groupItems = (items: readonly ItemDescription[], handlesSubscriptions: boolean): ItemGroup[] => {
  const groups = new Map<string, ItemGroup>()
  for (const item of items) {
    const key = JSON.stringify([item.rows ?? '', item.json ?? []])
    const [outer = '', inner = ''] = (item.rows ?? '').split(ARRAY_OF_ROWS).map((path) => path.replace(/^\./, ''))
    const group = groups.get(key) ?? {
      keys: keysOfPath(outer),
      innerKeys: keysOfPath(inner),
      json: item.json ?? [],
      readers: [],
      decidingFields: new Set<string>(),
    }
    groups.set(key, group)
    const reader = itemReader(item, handlesSubscriptions)
    group.readers.push(reader)
    for (const name of reader.decidingFields) group.decidingFields.add(name)
  }
  return [...groups.values()]
}

/** Names a field of a row as it is named from the root, without the index of the row: `statuses[code]`. */
const nameWithin = (prefix: string, name: string): string => {
  if (prefix === '') return name
  const bracket = name.indexOf('[')
  return bracket < 0 ? `${prefix}[${name}]` : `${prefix}[${name.slice(0, bracket)}]${name.slice(bracket)}`
}

/** @returns undefined if the fields are none of the items of the group; no items if they are dropped on purpose */
const readItem = (
  group: ItemGroup,
  itemFields: readonly Field[],
  query: readonly Field[],
  envelope: readonly Field[],
  body: Uint8Array,
): readonly Item[] | undefined => {
  const ownFields = replaceJsonField(itemFields, group.json)
  const merged = mergeQuery(ownFields, query, group.decidingFields)
  // A name of the item hides the same name beside the list.
  const withEnvelope = mergeQuery(merged.fields, envelope, NO_NAMES)
  const item: FoundItem = {
    fields: withEnvelope.fields,
    byName: indexByName(withEnvelope.fields),
    rawOnly: concatFields(merged.rawOnly, withEnvelope.rawOnly),
    body,
  }
  const reader = group.readers.find((each) => each.holds(item))
  if (reader === undefined) return undefined
  if (merged.conflict !== undefined) {
    return [conflictDeadLetter(`${merged.conflict} differs between query and body`, body)]
  }
  const read = reader.read(item)
  return read === undefined ? [] : [read]
}

const NO_NAMES: ReadonlySet<string> = new Set()

/** Puts the members of a JSON text in the place of the field that holds it. A text that is no JSON stays as it is. */
const replaceJsonField = (fields: readonly Field[], names: readonly string[]): readonly Field[] => {
  if (names.length === 0) return fields
  const field = fields.find(({ name, type }) => type === 'string' && names.includes(name))
  const inner = field && jsonFields(field.value)
  if (!Array.isArray(inner)) return fields
  return [...inner, ...fields.filter((each) => each !== field)]
}
