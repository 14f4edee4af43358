/** Decoding turns bytes in custody into events: their fields, their envelope and their ids. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DecodableSource, decode, type DecodedItem } from '../../src/pipeline/decode.js'
import { DELIVERY_STATUSES, isFinal } from '../../src/core/event.js'
import type { Entry } from '../../src/journal/journal.js'
import type { DeadLetterItem, Identity, Item, MessageItem, ReceiptItem } from '../../src/providers/provider.js'

const row = Buffer.from('the row')

const receipt = (more: Partial<ReceiptItem> = {}): ReceiptItem => ({
  kind: 'dlr',
  messageId: 'm1',
  recipient: '+33612345678',
  sender: 'Shop',
  status: 'DELIVERED',
  providerStatus: '3',
  providerStatusText: 'OK',
  errorCode: '0',
  occurredAt: 1_700_000_000_000,
  raw: { MsgId: 'm1', Status: '3' },
  clientReference: null,
  network: null,
  segments: null,
  price: null,
  part: null,
  identity: ['m1', '+33612345678', '3'],
  body: row,
  ...more,
})

const message = (more: Partial<MessageItem> = {}): MessageItem => ({
  kind: 'mo',
  messageId: null,
  sender: '+33612345678',
  recipient: '36000',
  text: 'STOP 🛑',
  keyword: 'STOP',
  inReplyTo: 'm0',
  occurredAt: null,
  raw: { Content: 'STOP 🛑' },
  part: null,
  clientReference: null,
  network: null,
  optOut: null,
  identity: null,
  body: row,
  ...more,
})

const deadLetter: DeadLetterItem = { kind: 'dead-letter', reason: 'not-a-page', detail: 'found HTML', body: row }

const entry: Entry = {
  seq: 42,
  source: 'mtarget-fr',
  provider: 'mtarget',
  via: 'PULL',
  receivedAt: 1_700_000_001_000,
  facts: { method: 'POST', path: '/notification', query: '', status: '200' },
  body: Buffer.from('all that was received'),
}

const sourceOf = (items: Iterable<Item>, name = 'mtarget'): DecodableSource => ({
  provider: { name, decode: () => items },
  settings: { textFields: [], ignoreEvents: [] },
})

const decoded = (items: Iterable<Item>, more: Partial<Entry> = {}): DecodedItem[] => [
  ...decode({ ...entry, ...more }, sourceOf(items), 'j1'),
]

const idsOf = (items: readonly Item[], more: Partial<Entry> = {}): string[] =>
  decoded(items, more).map(({ event }) => event.eventId)

describe('A decoded event', () => {
  it('has the fields of its item, and an envelope with source, provider, way and time', () => {
    const [{ event, itemIndex, isIdentified, body } = nothingDecoded()] = decoded([receipt()])
    const fields = Object.fromEntries(
      Object.entries(receipt()).filter(([name]) => !['identity', 'body'].includes(name)),
    )
    const envelope = { source: 'mtarget-fr', provider: 'mtarget', via: 'PULL', receivedAt: entry.receivedAt }
    expect(event).toEqual({ ...fields, ...envelope, eventId: event.eventId, final: true })
    expect({ itemIndex, isIdentified, body }).toEqual({ itemIndex: 0, isIdentified: true, body: row })
  })

  it('has the fields of an inbound message, and neither its identity nor its bytes', () => {
    const [{ event } = nothingDecoded()] = decoded([message()])
    expect(event).toMatchObject({ kind: 'mo', text: 'STOP 🛑', keyword: 'STOP', inReplyTo: 'm0', recipient: '36000' })
    expect(event).not.toHaveProperty('identity')
    expect(event).not.toHaveProperty('body')
  })

  it.each(DELIVERY_STATUSES)('is final exactly if its status %s is final', (status) => {
    const [{ event } = nothingDecoded()] = decoded([receipt({ status })])
    expect(event).toMatchObject({ status, final: isFinal(status) })
  })

  it('carries the bytes and the facts of the request if it is a dead letter', () => {
    const [{ event, isIdentified } = nothingDecoded()] = decoded([deadLetter])
    expect(event).toMatchObject({ kind: 'dead-letter', reason: 'not-a-page', detail: 'found HTML', body: row })
    expect(event).toMatchObject({ request: { method: 'POST', path: '/notification', query: '', status: '200' } })
    expect(isIdentified).toBe(false)
  })
})

describe('An event id', () => {
  it('is the same whenever and however often the same item arrives', () => {
    const first = idsOf([message(), receipt()])[1]
    expect(idsOf([receipt()], { seq: 99, receivedAt: 5, via: 'CALLBACK' })).toEqual([first])
    expect(idsOf([receipt({ occurredAt: null, raw: {}, providerStatusText: null })])).toEqual([first])
    expect(first).toMatch(/^[0-9a-f]{32}$/)
  })

  it('differs for another source, kind or identity', () => {
    const ids = [
      ...idsOf([receipt()]),
      ...idsOf([receipt()], { source: 'mtarget-be' }),
      ...idsOf([message({ identity: receipt().identity })]),
      ...idsOf([receipt({ identity: ['m1', '+33612345678', '4'] })]),
      ...idsOf([receipt({ identity: ['m1', '+33612345678'] })]),
      ...idsOf([receipt({ identity: ['m1,+33612345678', '3'] })]),
    ]
    expect(new Set(ids).size).toBe(6)
  })

  it('is the same for two items only if their identities are the same texts', () => {
    const identity = fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(identity, identity, (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other)
        const [a, b] = [one, other].map((each: Identity) => idsOf([receipt({ identity: each })])[0])
        expect(a === b).toBe(same)
      }),
    )
  })

  it('comes from journal, sequence number and index if nothing identifies the item, so that each arrival has its own', () => {
    expect(idsOf([message(), receipt(), deadLetter])).toEqual([
      'j1-42-0',
      expect.stringMatching(/^[0-9a-f]{32}$/),
      'j1-42-2',
    ])
    expect(idsOf([message()], { seq: 43 })).toEqual(['j1-43-0'])
  })

  it('comes from the bytes of a row of a message log if the provider does not identify the row', () => {
    const first = idsOf([message()], { via: 'QUERY' })
    expect(idsOf([message()], { via: 'QUERY', seq: 43 })).toEqual(first)
    expect(idsOf([message({ body: Buffer.from('another row') })], { via: 'QUERY' })).not.toEqual(first)
    expect(decoded([message()], { via: 'QUERY' })[0]?.isIdentified).toBe(true)
    expect(idsOf([receipt()], { via: 'QUERY' })).toEqual(idsOf([receipt()]))
  })

  it('is the same when the entry is decoded again', () => {
    const items = [message(), deadLetter, receipt()]
    expect(idsOf(items)).toEqual(idsOf(items))
  })
})

describe('An entry', () => {
  it.each([
    ['whose source is no longer configured', undefined],
    ['whose source has another provider now', sourceOf([receipt()], 'seven')],
  ])('%s becomes one dead letter with all of its bytes', (_which, source) => {
    const [{ event, body } = nothingDecoded(), ...more] = [...decode(entry, source, 'j1')]
    expect(more).toEqual([])
    expect(event).toMatchObject({ kind: 'dead-letter', reason: 'unknown-source', eventId: 'j1-42-0', body: entry.body })
    expect(event).toHaveProperty('detail', expect.stringContaining('"mtarget-fr" of provider mtarget'))
    expect(body).toBe(entry.body)
  })

  it('keeps the items that were read before the decoder failed, and ends in a dead letter', () => {
    const failing = function* (): Generator<Item> {
      yield receipt()
      throw new TypeError('x is not a function')
    }
    const [first, second, ...more] = decoded(failing())
    expect(more).toEqual([])
    expect(first?.event.kind).toBe('dlr')
    expect(second?.event).toMatchObject({ kind: 'dead-letter', reason: 'decoder-failed', body: entry.body })
    expect(second?.event).toHaveProperty('detail', expect.stringContaining('x is not a function'))
    expect(second?.event.eventId).toBe('j1-42-1')
  })

  it('of unreadable items becomes at most a thousand dead letters', () => {
    const items = decoded(Array.from({ length: 5000 }, (_, n) => (n === 4000 ? receipt() : deadLetter)))
    expect(items).toHaveLength(1001)
    expect(items.filter(({ event }) => event.kind === 'dlr')).toHaveLength(1)
    const { event, body } = items.at(-1)!
    expect(event).toMatchObject({ kind: 'dead-letter', reason: 'too-many-unreadable', body: entry.body })
    expect(event).toHaveProperty('detail', expect.stringContaining('4999 items'))
    expect(body).toBe(entry.body)
    expect(new Set(items.map(({ itemIndex }) => itemIndex)).size).toBe(1001)
  })

  it('is read only as far as its items are consumed', () => {
    let produced = 0
    const lazy = function* (): Generator<Item> {
      for (; produced < 10; produced++) yield message()
    }
    const reading = decode(entry, sourceOf(lazy()), 'j1')
    reading.next()
    reading.next()
    expect(produced).toBe(1)
    reading.return()
    expect(produced).toBe(1)
  })
})

const nothingDecoded = (): never => {
  throw new Error('nothing was decoded')
}
