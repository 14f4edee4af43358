/**
 * The records that the contract and the providers' documentation demand for an item. They are written without code of the
 * product, so that a mistake of the product cannot repeat itself here.
 */
import type { MtargetRow, SevenInbound, SevenReceipt } from '../simulators/provider-data.js'
import type { TopicKind, TopicRecord } from './topic-reader.js'

/** The names of the two sources in the configuration of a trial. */
export const MTARGET_SOURCE = 'mtarget-fr'
export const SEVEN_SOURCE = 'seven-main'

/** `value` holds only the fields that the documents determine. */
export type ExpectedRecord = Pick<TopicRecord, 'key' | 'value'>

const SEVEN_STATUSES: Readonly<Record<string, string>> = {
  BUFFERED: 'ENROUTE',
  TRANSMITTED: 'ENROUTE',
  ACCEPTED: 'ACCEPTED',
  DELIVERED: 'DELIVERED',
  NOTDELIVERED: 'UNDELIVERABLE',
  FAILED: 'UNDELIVERABLE',
  EXPIRED: 'EXPIRED',
  REJECTED: 'REJECTED',
  UNKNOWN: 'UNKNOWN',
}
const MTARGET_STATUSES: Readonly<Record<string, string>> = {
  '0': 'SCHEDULED',
  '1': 'ENROUTE',
  '2': 'ENROUTE',
  '3': 'DELIVERED',
  '4': 'REJECTED',
  '6': 'UNDELIVERABLE',
}
const FINAL_STATUSES = ['DELIVERED', 'EXPIRED', 'DELETED', 'UNDELIVERABLE', 'REJECTED', 'SKIPPED']

const internationalNumber = (number: string): string => {
  if (/^00\d+$/.test(number)) return `+${number.slice(2)}`
  return /^[1-9]\d{8,14}$/.test(number) ? `+${number}` : number
}

/** The record of a receipt of seven, without `raw`, which depends on the form of the callback. */
export const sevenReceiptRecord = ({ msg_id, status }: SevenReceipt): ExpectedRecord => ({
  key: msg_id,
  value: {
    source: SEVEN_SOURCE,
    provider: 'seven',
    messageId: msg_id,
    recipient: null,
    sender: null,
    status: SEVEN_STATUSES[status],
    final: FINAL_STATUSES.includes(SEVEN_STATUSES[status]!),
    providerStatus: status,
    via: 'CALLBACK',
  },
})

/** The record of a message of seven, without `raw`, which depends on the form of the callback. */
export const sevenMessageRecord = ({ id, sender, system, text, time }: SevenInbound): ExpectedRecord => ({
  key: internationalNumber(sender),
  value: {
    source: SEVEN_SOURCE,
    provider: 'seven',
    messageId: id,
    sender: internationalNumber(sender),
    recipient: internationalNumber(system),
    text,
    occurredAt: Number(time) * 1_000,
    via: 'CALLBACK',
  },
})

/** The record of a receipt or a message of Mtarget. */
export const mtargetRecord = (row: MtargetRow): ExpectedRecord => {
  const common = { source: MTARGET_SOURCE, provider: 'mtarget', messageId: row['MsgId'], via: 'PULL', raw: row }
  const recipient = row['DestinationAdress'] === undefined ? null : internationalNumber(row['DestinationAdress'])
  const sender = internationalNumber((row['Msisdn'] ?? row['OriginatedAddress'])!)
  if (isMtargetMessage(row)) {
    const keyword = row['Keyword'] ?? null
    const message = { keyword, optOut: keyword === 'Stop' ? 'STOP' : null, part: partOf(row) }
    return { key: sender, value: { ...common, sender, recipient, text: row['Content'], ...message } }
  }
  const status = MTARGET_STATUSES[row['Status']!]!
  const final = FINAL_STATUSES.includes(status)
  return { key: row['MsgId']!, value: { ...common, sender, recipient, status, final, providerStatus: row['Status'] } }
}

const partOf = (row: MtargetRow): unknown =>
  row['msglong.id'] === undefined
    ? null
    : {
        reference: row['msglong.id'],
        number: Number(row['msglong.msgref']),
        total: Number(row['msglong.msgcount']),
      }

export const isMtargetMessage = (row: MtargetRow): boolean => row['Status'] === '5' || row['Status'] === undefined

const CLOUDEVENT_TYPES: Readonly<Record<TopicKind, string>> = {
  dlr: 'sms.delivery-receipt.v1',
  mo: 'sms.inbound-message.v1',
  deadLetter: 'sms.dead-letter.v1',
}

/** The headers of a record with this value. @param kind of the topic on which the record is */
export function expectedHeaders({ value }: Pick<TopicRecord, 'value'>, kind: TopicKind): Record<string, string> {
  const eventId = value['eventId'] as string
  // A large dead letter is cut into several records, which share their event id.
  const part = Number(value['part'] ?? 0)
  return {
    ce_specversion: '1.0',
    ce_id: part > 0 ? `${eventId}/${part}` : eventId,
    ce_source: `/${value['provider'] as string}/${value['source'] as string}`,
    ce_type: CLOUDEVENT_TYPES[kind],
    ce_time: new Date(value['receivedAt'] as number).toISOString(),
    'content-type': 'application/avro',
  }
}
