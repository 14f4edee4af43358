/**
 * Measures what it costs to decode an item by a description, beside the coded provider that reads the same bytes.
 *
 *     node --import tsx bench/decode-cost.ts [--rounds N]
 *
 * Both read the same bodies in turns within each round. CPU time of the process is counted, with its collections of garbage, so that
 * other programs on the machine weigh little. The ratio of each round is one value; the table has their median and range.
 */
import { parseArgs } from 'node:util'
import type { Received } from '../src/core/received.js'
import { parseDescription } from '../src/providers/described/load.js'
import { describedProvider } from '../src/providers/described/provider.js'
import { providers } from '../src/providers/index.js'
import type { Item, Provider } from '../src/providers/provider.js'
import { type Summary, summarize } from './statistics.js'

const PAGE_ROWS = 1_000
const ITEMS_PER_TURN = 20_000
const TURNS_PER_ROUND = 6
const WARM_UP_ROUNDS = 2
const SETTINGS = { textFields: ['Content', 'Msg', 'Text', 'text', 'Message'], ignoreEvents: [] }

interface Shape {
  readonly name: string
  readonly coded: 'mtarget' | 'seven'
  readonly description: string
  readonly received: Received
}

/** As much of the two coded formats as a description can say, with the same fields of the records filled. */
const MTARGET_LIKE = `
provider: like-mtarget
title: Rows of a queue
documents: [https://developers.mtarget.fr/api-pulling]
pull: { limitParameter: max, rows: 'results[]' }
items:
  - kind: message
    rows: results[]
    when: [{ field: Status, equals: ['5'] }]
    messageId: [MsgId, ticket]
    sender: [Msisdn, OriginatedAddress]
    recipient: DestinationAdress
    text: [Content, Msg, Text, text, Message]
    keyword: Keyword
    optOut: { field: Keyword, values: { Stop: STOP } }
    part: { reference: [msglong.id], number: [msglong.msgref], total: [msglong.msgcount] }
    clientReference: remoteid
    identity: none
  - kind: receipt
    rows: results[]
    when: [{ field: Status, present: true }]
    messageId: [MsgId, ticket]
    recipient: [DestinationAdress, DestinationAddress, msisdn]
    sender: OriginatedAddress
    status: { field: Status, values: { '0': SCHEDULED, '1': ENROUTE, '2': ENROUTE, '3': DELIVERED, '4': REJECTED, '6': UNDELIVERABLE } }
    statusText: [StatusText, Reason, reason]
    errorCode: [RSN, code]
    occurredAt: DeliveryDateTime
    clientReference: remoteid
    segments: smscount
    identity: [messageId, recipient, status]
    identityFields: DeliveryDateTime
`

const SEVEN_STATUS = `values: { ACCEPTED: ACCEPTED, BUFFERED: ENROUTE, DELIVERED: DELIVERED, EXPIRED: EXPIRED, FAILED: UNDELIVERABLE, NOTDELIVERED: UNDELIVERABLE, READ: DELIVERED, REJECTED: REJECTED, TRANSMITTED: ENROUTE }`

const SEVEN_LIKE = `
provider: like-seven
title: Webhooks
documents: [https://docs.seven.io/en/rest-api/webhooks]
items:
  - kind: message
    when: [{ field: webhook_event, equals: [sms_mo] }]
    messageId: 'data[id]'
    sender: 'data[sender]'
    recipient: 'data[system]'
    text: 'data[text]'
    occurredAt: { field: 'data[time]', format: Unix seconds }
    identity: messageId
  - kind: receipt
    messageId: ['data[msg_id]', msg_id]
    status: { field: ['data[status]', status], ${SEVEN_STATUS} }
    occurredAt: { field: ['data[timestamp]', timestamp, webhook_timestamp], zone: Europe/Berlin }
    clientReference: ['data[foreign_id]', foreign_id]
    network: ['data[mccmnc]', mccmnc]
    price: { amount: ['data[price]', price] }
    identity: [messageId, status]
`

const FORM = 'application/x-www-form-urlencoded'

const received = (via: Received['via'], body: string, contentType: string): Received => ({
  via,
  receivedAt: 1_700_000_000_000,
  facts: { method: 'POST', path: '/callbacks/measured', query: '', 'content-type': contentType },
  body: Buffer.from(body),
})

const receiptRow = (index: number): Record<string, string> => ({
  MsgId: `5f1d${index}a9c3e7`,
  Status: index % 4 === 0 ? '6' : '3',
  StatusText: 'delivered to the handset',
  DestinationAdress: `+336${String(10_000_000 + index)}`,
  OriginatedAddress: '36180',
  DeliveryDateTime: '2026-01-15T12:00:00+01:00',
  RSN: '0',
})

const messageRow = (index: number): Record<string, string> => ({
  MsgId: `6a2e${index}b8d4f6`,
  Status: '5',
  Msisdn: `336${String(10_000_000 + index)}`,
  DestinationAdress: '36180',
  Content: 'Yes, thank you: see you on Tuesday',
  Keyword: 'Default',
})

const page = (row: (index: number) => object): string =>
  JSON.stringify({ results: Array.from({ length: PAGE_ROWS }, (_, index) => row(index)) })

const WEBHOOK = {
  webhook_event: 'dlr',
  webhook_timestamp: '2026-01-15 12:00:00',
  data: { msg_id: '77149843739', status: 'DELIVERED', timestamp: '2026-01-15 12:00:00.000000' },
}
const WEBHOOK_FORM = new URLSearchParams({
  webhook_event: 'dlr',
  webhook_timestamp: '2026-01-15 12:00:00',
  'data[msg_id]': '77149843739',
  'data[status]': 'DELIVERED',
  'data[timestamp]': '2026-01-15 12:00:00.000000',
}).toString()

const SHAPES: readonly Shape[] = [
  {
    name: 'page of 1,000 receipts (Mtarget)',
    coded: 'mtarget',
    description: MTARGET_LIKE,
    received: received('PULL', page(receiptRow), 'application/json'),
  },
  {
    name: 'page of 1,000 messages (Mtarget)',
    coded: 'mtarget',
    description: MTARGET_LIKE,
    received: received('PULL', page(messageRow), 'application/json'),
  },
  {
    name: 'receipt as JSON (seven)',
    coded: 'seven',
    description: SEVEN_LIKE,
    received: received('CALLBACK', JSON.stringify(WEBHOOK), 'application/json'),
  },
  {
    name: 'receipt as a form (seven)',
    coded: 'seven',
    description: SEVEN_LIKE,
    received: received('CALLBACK', WEBHOOK_FORM, FORM),
  },
]

const describedBy = (yaml: string): Provider => {
  const { description, problems } = parseDescription(yaml)
  if (description === undefined) throw new Error(`the description of a shape has problems: ${JSON.stringify(problems)}`)
  return describedProvider(description)
}

/** The fields of an item that both must fill alike. The order of `raw` may differ. */
const comparable = (item: Item | undefined): unknown => {
  if (item === undefined || item.kind === 'dead-letter') throw new Error('a shape is not decoded')
  const { kind, messageId, sender, recipient, occurredAt, raw } = item
  return { kind, messageId, sender, recipient, occurredAt, raw: Object.entries(raw).sort() }
}

const assertAlike = (shape: Shape, coded: Provider, described: Provider): void => {
  const read = (provider: Provider) => [...provider.decode(shape.received, SETTINGS)].map(comparable)
  const [expected, found] = [JSON.stringify(read(coded)), JSON.stringify(read(described))]
  if (expected !== found)
    throw new Error(`${shape.name}: the two decoders differ:\n${expected.slice(0, 600)}\n${found.slice(0, 600)}`)
}

/** @returns microseconds of CPU for each item */
const turn = (provider: Provider, { received: body }: Shape): number => {
  const startedAt = process.cpuUsage()
  let decoded = 0
  while (decoded < ITEMS_PER_TURN) {
    for (const item of provider.decode(body, SETTINGS)) if (item.kind !== 'dead-letter') decoded++
  }
  const { user, system } = process.cpuUsage(startedAt)
  return (user + system) / decoded
}

const round = (provider: Provider, other: Provider, shape: Shape): readonly [number, number] => {
  let [first, second] = [0, 0]
  for (let index = 0; index < TURNS_PER_ROUND; index++) {
    first += turn(provider, shape)
    second += turn(other, shape)
  }
  return [first / TURNS_PER_ROUND, second / TURNS_PER_ROUND]
}

const format = ({ median, min, max }: Summary): string =>
  `${median.toFixed(2)} (${min.toFixed(2)} to ${max.toFixed(2)})`

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' } } })
const rounds = Number(values.rounds)
console.log('| items | coded, us an item | described, us an item | ratio |')
console.log('|---|---|---|---|')
for (const shape of SHAPES) {
  const coded = providers.get(shape.coded)!
  const described = describedBy(shape.description)
  assertAlike(shape, coded, described)
  const measured: (readonly [number, number])[] = []
  for (let index = 0; index < WARM_UP_ROUNDS + rounds; index++) {
    const pair = round(coded, described, shape)
    if (index >= WARM_UP_ROUNDS) measured.push(pair)
  }
  const [ofCoded, ofDescribed] = [0, 1].map((at) => summarize(measured.map((pair) => pair[at]!)))
  const ratio = summarize(measured.map(([first, second]) => second / first))
  console.log(`| ${shape.name} | ${format(ofCoded!)} | ${format(ofDescribed!)} | ${format(ratio)} |`)
}
