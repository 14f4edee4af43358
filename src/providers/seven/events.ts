/**
 * What one set of fields is: a legacy status callback, a webhook (enveloped, nested or flat), or an inbound message
 * without envelope.
 *
 * Sources: docs.seven.io webhooks (envelope, `dlr`, `sms_mo`), seven-io/SuiteCRM (form with `data[id]`), seven-io/playSMS
 * (flat form, `foreign_id`), seven-io/seven-zapier (message without envelope), the page on delivery reports (legacy GET).
 */
import type { DecodeSettings, Item } from '../provider.js'
import { combine } from '../wire/combine.js'
import { dead, tooMuch } from '../wire/dead.js'
import { conflicting, find, firstSaid, said, tooMuchShared, type Field } from '../wire/fields.js'
import { group, split } from './groups.js'
import { readMessage } from './message.js'
import { readReports } from './reports.js'

const EVENT: ReadonlySet<string> = new Set(['webhook_event'])
const DECISIVE: ReadonlySet<string> = new Set([
  ...['webhook_event', 'msg_id', 'status', 'timestamp', 'id', 'sender', 'system', 'text', 'time'],
  ...['data[msg_id]', 'data[status]', 'data[timestamp]'],
  ...['data[id]', 'data[sender]', 'data[system]', 'data[text]', 'data[time]'],
])

/**
 * @param own fields of the body, or of a row of it
 * @param query fields of the request's query
 * @param body the bytes of the item
 */
export const readEvent = (
  own: readonly Field[],
  query: readonly Field[],
  body: Uint8Array,
  settings: DecodeSettings,
): Item[] => {
  const { fields, also, conflict: twice } = combine(own, query, (name) => DECISIVE.has(name))
  if (twice !== undefined) return [conflict(`${twice} differs between query and body`, body)]
  if (conflicting(fields, EVENT) !== undefined) return [conflict('several values of webhook_event', body)]
  const event = said(find(fields, 'webhook_event'))
  if (event !== undefined && settings.ignoreEvents.includes(event)) return []
  switch (event) {
    case 'dlr':
      return readReports(fields, also, body)
    case 'sms_mo':
      return readMessages(fields, also, body)
    case undefined:
      return readUnnamed(fields, also, body)
    default:
      return [
        dead(
          'unsupported-event',
          `webhook_event "${event.slice(0, 100)}" is neither dlr nor sms_mo; see ignoreEvents`,
          body,
        ),
      ]
  }
}

const conflict = (found: string, body: Uint8Array): Item => dead('conflicting-fields', `${found}; which counts?`, body)

/** Without `webhook_event` the fields themselves must say what they are. */
const readUnnamed = (fields: readonly Field[], also: readonly Field[], body: Uint8Array): Item[] => {
  let receipt = false
  let sender = false
  let message = false
  for (const { name } of fields) {
    const leaf = name.includes('[') ? split(name).leaf : name
    if (leaf === 'msg_id' || leaf === 'status') receipt = true
    else if (leaf === 'sender') sender = true
    else if (leaf === 'text') message = true
  }
  if (receipt) return readReports(fields, also, body)
  if (sender && message) return readMessages(fields, also, body)
  return [dead('not-a-report', 'neither msg_id and status nor a webhook_event: not a callback of seven as known', body)]
}

const readMessages = (fields: readonly Field[], also: readonly Field[], body: Uint8Array): Item[] => {
  const { groups, shared } = group(
    fields,
    (leaves) => leaves.has('sender') && leaves.has('text'),
    (leaves) => leaves.has('sender') || leaves.has('text'),
  )
  if (groups.length === 0) return [incomplete(fields, body)]
  if (tooMuchShared(groups.length, [...shared, ...also])) return [tooMuch(groups.length, body)]
  return groups.map(({ leaves }) => {
    for (const [leaf, list] of leaves) {
      if (DECISIVE.has(leaf) && list.some(({ value }) => value !== list[0]?.value)) {
        return conflict(`several values of ${leaf}`, body)
      }
    }
    const one = (leaf: string): Field | undefined => leaves.get(leaf)?.[0]
    return readMessage(
      {
        id: one('id'),
        sender: one('sender'),
        recipient: one('system'),
        text: one('text'),
        time: firstSaid(one('time'), one('webhook_timestamp'), find(shared, 'webhook_timestamp')),
        inReplyTo: one('reply_to_message_id'),
        all: [...[...leaves.values()].flat(), ...shared, ...also],
      },
      body,
    )
  })
}

/** No group has both sender and text. */
const incomplete = (fields: readonly Field[], body: Uint8Array): Item =>
  fields.some(({ name }) => split(name).leaf === 'sender')
    ? dead('missing-text', 'an inbound message without a text', body)
    : dead('missing-sender', 'an inbound message without a sender', body)
