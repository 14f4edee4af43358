/** Builds the functions that read an item of a described provider from its fields. */
import type { DeliveryStatus, OptOut, Part, Price } from '../../core/event.js'
import type { DeadLetterItem, Identity, Item } from '../provider.js'
import { deadLetter, repeatedFieldDeadLetter, tooManyFieldsDeadLetter } from '../wire/dead-letter.js'
import { type Field, findConflict, MAX_FIELDS_PER_ITEM, presentValue, toRaw } from '../wire/fields.js'
import { parseCount, parseNetwork, parsePrice } from '../wire/numbers.js'
import { normalizePhoneNumber } from '../wire/phone-numbers.js'
import type { Condition, ItemDescription } from './description.js'
import { textDecoder } from './text-coding.js'
import { timeReader } from './time-formats.js'
import { additionReader, fieldNamesIn, type ItemFields, type Value, valueReader, type ReadValue } from './values.js'

/** An item of a request before it is read. */
export interface FoundItem extends ItemFields {
  /** Fields that were sent with the item and go into `raw` only. */
  readonly rawOnly: readonly Field[]
  /** The bytes of the item, or of the request around it. */
  readonly body: Uint8Array
}

export interface ItemReader {
  /** Whether the item is of this kind. */
  readonly holds: (item: ItemFields) => boolean
  /** Returns undefined for an item that is dropped on purpose. */
  readonly read: (item: FoundItem) => Item | undefined
  /** The names of the fields that decide what an item means. */
  readonly decidingFields: ReadonlySet<string>
}

/** @param handlesSubscriptions whether messages about subscriptions were handled when they arrived */
export const itemReader = (description: ItemDescription, handlesSubscriptions: boolean): ItemReader => {
  const decidingFields = new Set(decidingNamesOf(description))
  const read = readerOf(description, handlesSubscriptions)
  return {
    decidingFields,
    holds: conditionsOf(description.when ?? []),
    read: (item) => {
      const conflict = item.byName.size < item.fields.length ? findConflict(item.fields, decidingFields) : undefined
      if (conflict !== undefined) return repeatedFieldDeadLetter(conflict, item.body)
      if (item.fields.length > MAX_FIELDS_PER_ITEM) return tooManyFieldsDeadLetter(item.fields.length, item.body)
      return read(item)
    },
  }
}

const decidingNamesOf = ({
  when,
  messageId,
  recipient,
  sender,
  status,
  text,
  identity = [],
  identityFields,
  occurredAt,
  errorCode,
  part,
}: ItemDescription): string[] => {
  const isPartOfIdentity = (name: (typeof identity)[number]): boolean => identity.includes(name)
  return fieldNamesIn([
    ...(when ?? []).map(({ field }) => field),
    ...(messageId ?? []),
    ...(recipient ?? []),
    ...(sender ?? []),
    ...(status?.field ?? []),
    ...(status?.second ?? []),
    ...(status?.finalField ?? []),
    ...(text?.field ?? []),
    ...(identityFields ?? []),
    ...(isPartOfIdentity('occurredAt') ? (occurredAt?.field ?? []) : []),
    ...(isPartOfIdentity('errorCode') ? (errorCode ?? []) : []),
    ...(isPartOfIdentity('part') ? [...(part?.reference ?? []), ...(part?.number ?? [])] : []),
  ])
}

const conditionsOf = (conditions: readonly Condition[]): ((item: ItemFields) => boolean) => {
  const tests = conditions.map(({ field, equals, present }) => {
    const values = equals && new Set(equals)
    return ({ byName }: ItemFields): boolean => {
      const value = presentValue(byName.get(field))
      return values === undefined ? (value !== undefined) === present : value !== undefined && values.has(value)
    }
  })
  return (item) => tests.every((test) => test(item))
}

const SUBSCRIPTION =
  'this is a message about the subscription that callbacks come by, which nothing has verified; with callback.topicArns the connector verifies and confirms subscriptions, else open its SubscribeURL yourself'

const readerOf = (description: ItemDescription, handlesSubscriptions: boolean): ItemReader['read'] => {
  switch (description.kind) {
    case 'receipt':
      return receiptReader(description)
    case 'message':
      return messageReader(description)
    case 'ignored':
      return () => undefined
    case 'subscription':
      return ({ body }) => (handlesSubscriptions ? undefined : deadLetter('unsupported-event', SUBSCRIPTION, body))
    case 'unsupported': {
      const { detail = 'the description of the provider names this kind of item as not supported' } = description
      return ({ body }) => deadLetter('unsupported-event', detail, body)
    }
  }
}

const NO_VALUE: ReadValue = () => undefined
const readerOrNone = (names: readonly string[] | undefined): ReadValue => (names ? valueReader(names) : NO_VALUE)

const numberOf = (value: Value | undefined): string | null =>
  value === undefined ? null : normalizePhoneNumber(value.text)

/** What receipts and messages have in common. */
const commonReader = (description: ItemDescription) => {
  const messageId = readerOrNone(description.messageId)
  const recipient = readerOrNone(description.recipient)
  const sender = readerOrNone(description.sender)
  const time = additionReader(description.occurredAt?.field)
  const readTime = description.occurredAt && timeReader(description.occurredAt.format, description.occurredAt.zone)
  const clientReference = additionReader(description.clientReference)
  // The country code and the network code of a network have nothing in between.
  const network = additionReader(description.network, '')
  const part = partReader(description.part)
  return {
    messageId,
    recipient,
    sender,
    time,
    part,
    occurredAt: (item: ItemFields): number | null => readTime?.(time(item)) ?? null,
    clientReference: (item: ItemFields): string | null => clientReference(item) ?? null,
    network: (item: ItemFields): string | null => parseNetwork(network(item)),
    raw: ({ fields, rawOnly }: FoundItem) => toRaw(rawOnly.length === 0 ? fields : [...fields, ...rawOnly]),
  }
}

const partReader = (description: ItemDescription['part']): ((item: ItemFields) => Part | null) => {
  if (description === undefined) return () => null
  const readReference = additionReader(description.reference)
  const readNumber = additionReader(description.number)
  const readTotal = additionReader(description.total)
  return (item) => {
    const reference = readReference(item)
    const number = parseCount(readNumber(item))
    const total = parseCount(readTotal(item))
    return reference === undefined || number === null || total === null || number > total
      ? null
      : { reference, number, total }
  }
}

/** The values of an item of which its identity may consist; undefined if the item does not have the value. */
type IdentityValues = Readonly<Record<string, (item: ItemFields) => string | undefined>>

const identityReader = (
  { identity = [], identityFields = [] }: ItemDescription,
  values: IdentityValues,
): ((item: ItemFields) => Identity) => {
  const readers = [
    ...identity.filter((name) => name !== 'none').map((name) => values[name] ?? (() => undefined)),
    ...identityFields.map((name) => {
      const read = valueReader([name])
      return (item: ItemFields) => read(item)?.exact
    }),
  ]
  if (readers.length === 0) return () => null
  return (item) => {
    const texts: string[] = []
    for (const read of readers) {
      const text = read(item)
      if (text === undefined) return null
      texts.push(text)
    }
    return texts
  }
}

type Common = ReturnType<typeof commonReader>

const commonIdentityValues = ({ messageId, recipient, sender, time, part }: Common): IdentityValues => ({
  messageId: (item) => messageId(item)?.exact,
  recipient: (item) => recipient(item)?.exact,
  sender: (item) => sender(item)?.exact,
  occurredAt: time,
  part: (item) => {
    const found = part(item)
    return found === null ? undefined : `${found.reference} ${found.number}`
  },
})

const receiptReader = (description: ItemDescription): ItemReader['read'] => {
  const common = commonReader(description)
  const status = statusReader(description.status!)
  const errorCode = additionReader(description.errorCode)
  const statusText = additionReader(description.statusText)
  const segments = additionReader(description.segments)
  const price = priceReader(description.price)
  const identity = identityReader(description, {
    ...commonIdentityValues(common),
    status: (item) => status.value(item)?.exact.toUpperCase(),
    errorCode,
  })
  return (item) => {
    const { body } = item
    const messageId = common.messageId(item)
    if (messageId === undefined) return missing('missing-id', 'the receipt has no', description.messageId!, body)
    const sent = status.value(item)
    if (sent === undefined) return missing('missing-status', 'the receipt has no', description.status!.field, body)
    const { deliveryStatus, isFinal } = status.meaning(sent, item)
    return {
      kind: 'dlr',
      messageId: messageId.text,
      recipient: numberOf(common.recipient(item)),
      sender: numberOf(common.sender(item)),
      status: deliveryStatus,
      ...(isFinal !== undefined && { isFinal }),
      providerStatus: sent.sent,
      providerStatusText: statusText(item) ?? null,
      errorCode: errorCode(item) ?? null,
      occurredAt: common.occurredAt(item),
      raw: common.raw(item),
      clientReference: common.clientReference(item),
      network: common.network(item),
      segments: parseCount(segments(item)),
      price: price(item),
      part: common.part(item),
      identity: identity(item),
      body,
    }
  }
}

interface StatusMeaning {
  readonly deliveryStatus: DeliveryStatus
  /** Whether a further receipt can come, where the provider or its description says so. */
  readonly isFinal: boolean | undefined
}

const statusReader = ({ field, second, values, final = [], finalField }: NonNullable<ItemDescription['status']>) => {
  const table = new Map(Object.entries(values).map(([word, meaning]) => [word.toUpperCase(), meaning]))
  const finalWords = new Set(final.map((word) => word.toUpperCase()))
  const readSecond = readerOrNone(second)
  const readFinal = additionReader(finalField)
  const meaning = (sent: Value, item: ItemFields): StatusMeaning => {
    const word = sent.text.toUpperCase()
    const secondWord = readSecond(item)?.text.toUpperCase()
    const both = secondWord === undefined ? undefined : `${word} ${secondWord}`
    const deliveryStatus = (both === undefined ? undefined : table.get(both)) ?? table.get(word) ?? 'UNKNOWN'
    const isListedFinal = finalWords.has(word) || (both !== undefined && finalWords.has(both)) ? true : undefined
    return { deliveryStatus, isFinal: parseBoolean(readFinal(item)) ?? isListedFinal }
  }
  return { value: valueReader(field), meaning }
}

const parseBoolean = (sent: string | undefined): boolean | undefined => {
  if (sent === undefined) return undefined
  if (/^(true|1)$/i.test(sent)) return true
  return /^(false|0)$/i.test(sent) ? false : undefined
}

const priceReader = (description: ItemDescription['price']): ((item: ItemFields) => Price | null) => {
  if (description === undefined) return () => null
  const readAmount = additionReader(description.amount)
  const readCurrency = additionReader(description.currency)
  return (item) => {
    const currency = readCurrency(item)?.toUpperCase()
    return parsePrice(readAmount(item), currency !== undefined && /^[A-Z]{3}$/.test(currency) ? currency : null)
  }
}

const messageReader = (description: ItemDescription): ItemReader['read'] => {
  const common = commonReader(description)
  const textDescription = description.text!
  const decodeText = textDecoder(textDescription)
  const textNames = fieldNamesIn(textDescription.field)
  const keyword = additionReader(description.keyword)
  const inReplyTo = additionReader(description.inReplyTo)
  const optOut = optOutReader(description.optOut)
  const identity = identityReader(description, commonIdentityValues(common))
  return (item) => {
    const { body } = item
    const sender = common.sender(item)
    if (sender === undefined) return missing('missing-sender', 'the inbound message has no', description.sender!, body)
    const field = findText(item, textNames)
    if (field === undefined) return missing('missing-text', 'the inbound message has no', textNames, body)
    const text = decodeText(field.value, item)
    if (typeof text !== 'string') return deadLetter('undecodable', text.problem, body)
    return {
      kind: 'mo',
      messageId: common.messageId(item)?.text ?? null,
      sender: normalizePhoneNumber(sender.text),
      recipient: numberOf(common.recipient(item)),
      text: text.toWellFormed(),
      keyword: keyword(item) ?? null,
      inReplyTo: inReplyTo(item) ?? null,
      occurredAt: common.occurredAt(item),
      raw: common.raw(item),
      part: common.part(item),
      clientReference: common.clientReference(item),
      network: common.network(item),
      optOut: optOut(item),
      identity: identity(item),
      body,
    }
  }
}

/** Finds the first text field that was sent. An empty text is a text, `null` is none. */
const findText = ({ byName }: ItemFields, names: readonly string[]): Field | undefined => {
  for (const name of names) {
    const field = byName.get(name)
    if (field !== undefined && field.type !== 'null' && field.type !== 'empty') return field
  }
  return undefined
}

const optOutReader = (description: ItemDescription['optOut']): ((item: ItemFields) => OptOut | null) => {
  if (description === undefined) return () => null
  const read = additionReader(description.field)
  const table = new Map(Object.entries(description.values).map(([word, optOut]) => [word.toUpperCase(), optOut]))
  return (item) => table.get(read(item)?.toUpperCase() ?? '') ?? null
}

const missing = (
  reason: 'missing-id' | 'missing-status' | 'missing-sender' | 'missing-text',
  what: string,
  names: readonly string[],
  body: Uint8Array,
): DeadLetterItem => deadLetter(reason, `${what} ${names.join(' or ')}`, body)
