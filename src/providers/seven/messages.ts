/**
 * Reads seven's inbound messages: from a webhook, or from a row of the message log.
 *
 * Attested (docs.seven.io webhooks): `id`, `sender`, `system`, `text` and `time` of the event `sms_mo`. The fields of
 * the message log are attested by docs.seven.io logbook; `answers.ts` maps them. Not attested: `foreign_id`, which is the
 * sender's own reference wherever seven sends it.
 */
import type { DeadLetterItem, Item, MessageItem } from '../provider.js'
import { conflictDeadLetter, deadLetter, sharedFieldsDeadLetter, tooManyFieldsDeadLetter } from '../wire/dead-letter.js'
import {
  areTooLargeToShare,
  exactValue,
  findField,
  firstPresent,
  isSameValue,
  MAX_FIELDS_PER_ITEM,
  presentValue,
  toRaw,
  unambiguousValue,
  type Field,
} from '../wire/fields.js'
import { normalizePhoneNumber } from '../wire/phone-numbers.js'
import { parseInstantIn } from '../wire/times.js'
import { groupFields, INTERPRETED_LEAVES, splitName } from './field-groups.js'
import { readPhoneNumber, TIME_ZONE } from './receipts.js'

/** The fields of one message. Each way of delivery has its own names for them. */
export interface MessageFields {
  readonly id: Field | undefined
  readonly sender: Field | undefined
  readonly recipient: Field | undefined
  readonly text: Field | undefined
  readonly time: Field | undefined
  readonly inReplyTo: Field | undefined
  readonly clientReference?: string | undefined
  /** Every field that was sent with the message. */
  readonly all: readonly Field[]
}

const missingSender = (body: Uint8Array): DeadLetterItem =>
  deadLetter('missing-sender', 'the inbound message has no sender', body)

const missingText = (body: Uint8Array): DeadLetterItem =>
  deadLetter('missing-text', 'the inbound message has no text', body)

export const readMessage = (fields: MessageFields, body: Uint8Array): MessageItem | DeadLetterItem => {
  const sender = presentValue(fields.sender)
  if (sender === undefined) return missingSender(body)
  // An empty text is a text, `null` is none.
  if (fields.text === undefined || fields.text.type === 'null' || fields.text.type === 'empty') return missingText(body)
  if (fields.all.length > MAX_FIELDS_PER_ITEM) return tooManyFieldsDeadLetter(fields.all.length, body)
  const id = presentValue(fields.id)
  return {
    kind: 'mo',
    messageId: id ?? null,
    sender: normalizePhoneNumber(sender),
    recipient: readPhoneNumber(fields.recipient),
    text: fields.text.value,
    keyword: null,
    inReplyTo: presentValue(fields.inReplyTo) ?? null,
    occurredAt: parseInstantIn(TIME_ZONE, presentValue(fields.time)),
    raw: toRaw(fields.all),
    part: null,
    clientReference: fields.clientReference ?? null,
    network: null,
    optOut: null,
    identity: id === undefined ? null : [exactValue(fields.id) ?? id],
    body,
  }
}

/**
 * Reads the inbound messages in the fields of a webhook: usually one.
 *
 * @param rawOnly other fields that were sent with them
 */
export const readMessages = (fields: readonly Field[], rawOnly: readonly Field[], body: Uint8Array): Item[] => {
  const { groups, shared } = groupFields(
    fields,
    (leaves) => leaves.has('sender') && leaves.has('text'),
    (leaves) => leaves.has('sender') || leaves.has('text'),
  )
  if (groups.length === 0) {
    const hasSender = fields.some(({ name }) => splitName(name).leaf === 'sender')
    return [hasSender ? missingText(body) : missingSender(body)]
  }
  if (areTooLargeToShare([...shared, ...rawOnly], groups.length)) return [sharedFieldsDeadLetter(groups.length, body)]
  return groups.map(({ fieldsByLeaf }) => {
    for (const [leaf, list] of fieldsByLeaf) {
      if (INTERPRETED_LEAVES.has(leaf) && !list.every((each) => isSameValue(each, list[0] as Field))) {
        return conflictDeadLetter(`${leaf} was sent with several values`, body)
      }
    }
    const field = (leaf: string): Field | undefined => fieldsByLeaf.get(leaf)?.[0]
    const message = {
      id: field('id'),
      sender: field('sender'),
      recipient: field('system'),
      text: field('text'),
      time: firstPresent(field('time'), field('webhook_timestamp'), findField(shared, 'webhook_timestamp')),
      inReplyTo: field('reply_to_message_id'),
      clientReference: unambiguousValue(fieldsByLeaf.get('foreign_id') ?? []),
      all: [...[...fieldsByLeaf.values()].flat(), ...shared, ...rawOnly],
    }
    return readMessage(message, body)
  })
}
