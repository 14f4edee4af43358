/** One inbound message of seven, from webhook or journal. */
import type { DeadLetterItem, MessageItem } from '../provider.js'
import { dead } from '../wire/dead.js'
import { MAX_FIELDS_OF_AN_ITEM, rawOf, said, type Field } from '../wire/fields.js'
import { phoneNumber } from '../wire/numbers.js'
import { instantIn } from '../wire/times.js'
import { phone, ZONE } from './receipt.js'

export interface MessageFields {
  readonly id: Field | undefined
  readonly sender: Field | undefined
  readonly recipient: Field | undefined
  readonly text: Field | undefined
  readonly time: Field | undefined
  readonly inReplyTo: Field | undefined
  readonly all: readonly Field[]
}

export const readMessage = (fields: MessageFields, body: Uint8Array): MessageItem | DeadLetterItem => {
  const sender = said(fields.sender)
  if (sender === undefined) return dead('missing-sender', 'an inbound message without a sender', body)
  // An empty text is a text; null is none.
  if (fields.text === undefined || fields.text.type === 'null' || fields.text.type === 'empty') {
    return dead('missing-text', 'an inbound message without a text', body)
  }
  if (fields.all.length > MAX_FIELDS_OF_AN_ITEM) {
    return dead('too-complex', `the message has ${fields.all.length} fields; replay it if it should be read`, body)
  }
  const id = said(fields.id)
  return {
    kind: 'mo',
    messageId: id ?? null,
    sender: phoneNumber(sender),
    recipient: phone(fields.recipient),
    text: fields.text.value,
    keyword: null,
    inReplyTo: said(fields.inReplyTo) ?? null,
    occurredAt: instantIn(ZONE, said(fields.time)),
    raw: rawOf(fields.all),
    identity: id === undefined ? null : [id],
    body,
  }
}
