/** Records as contract and the providers' documents have them, written here without the product's help. */
import type { TopicRecord } from './topic-reader.js'
import type { MtargetRow, SevenInbound, SevenReceipt } from '../simulators/provider-data.js'

/** Of a value only the fields that the documents determine. */
export type Expected = Pick<TopicRecord, 'key' | 'value'>

const SEVEN_STATES: Readonly<Record<string, string>> = {
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
const MTARGET_STATES: Readonly<Record<string, string>> = {
  '0': 'SCHEDULED',
  '1': 'ENROUTE',
  '2': 'ENROUTE',
  '3': 'DELIVERED',
  '4': 'REJECTED',
  '6': 'UNDELIVERABLE',
}
const FINAL = ['DELIVERED', 'EXPIRED', 'DELETED', 'UNDELIVERABLE', 'REJECTED', 'SKIPPED']

const international = (number: string): string => {
  if (/^00\d+$/.test(number)) return `+${number.slice(2)}`
  return /^[1-9]\d{8,14}$/.test(number) ? `+${number}` : number
}

/** A receipt that came to the status URL. */
export const fromSeven = ({ msg_id, status }: SevenReceipt): Expected => ({
  key: msg_id,
  value: {
    source: 'seven-main',
    provider: 'seven',
    messageId: msg_id,
    recipient: null,
    sender: null,
    status: SEVEN_STATES[status],
    final: FINAL.includes(SEVEN_STATES[status]!),
    providerStatus: status,
    via: 'CALLBACK',
    raw: { msg_id, status },
  },
})

/** A message that came to a webhook; `raw` has the envelope too, which is not here. */
export const fromSevenInbound = ({ id, sender, system, text, time }: SevenInbound): Expected => ({
  key: international(sender),
  value: {
    source: 'seven-main',
    provider: 'seven',
    messageId: id,
    sender: international(sender),
    recipient: international(system),
    text,
    occurredAt: Number(time) * 1_000,
    via: 'CALLBACK',
  },
})

export const fromMtarget = (row: MtargetRow): Expected => {
  const common = { source: 'mtarget-fr', provider: 'mtarget', messageId: row['MsgId'], via: 'PULL', raw: row }
  const sender = international(row['OriginatedAddress']!)
  const recipient = international(row['DestinationAdress']!)
  if (row['Status'] === '5') {
    return { key: sender, value: { ...common, sender, recipient, text: row['Content'] } }
  }
  const status = MTARGET_STATES[row['Status']!]!
  return {
    key: row['MsgId']!,
    value: { ...common, sender, recipient, status, final: FINAL.includes(status), providerStatus: row['Status'] },
  }
}

const TYPES: Readonly<Record<string, string>> = {
  dlr: 'sms.delivery-receipt.v1',
  mo: 'sms.inbound-message.v1',
  deadLetter: 'sms.dead-letter.v1',
}

/** @param kind of the topic on which the record is */
export const headersFor = (
  { value }: Pick<TopicRecord, 'value'>,
  kind: 'dlr' | 'mo' | 'deadLetter',
): Record<string, string> => ({
  ce_specversion: '1.0',
  ce_id: value['eventId'] as string,
  ce_source: `/${value['provider'] as string}/${value['source'] as string}`,
  ce_type: TYPES[kind]!,
  ce_time: new Date(value['receivedAt'] as number).toISOString(),
  'content-type': 'application/avro',
})
