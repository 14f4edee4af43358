/** Decoders that return what they must not: an entry that can't be published would stop everything behind it. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maxEncodedBytes, maxRecordBytes } from '../../src/kafka/record-batch.js'
import type { Entry } from '../../src/journal/journal.js'
import { decode, type DecodableSource } from '../../src/pipeline/decode.js'
import { decodeDeadLetter } from '../../src/pipeline/replay.js'
import type { Item } from '../../src/providers/provider.js'
import { createEncoder, decodeRecord, MAX_BATCH } from '../encode/support.js'
import { deadLetter, message, receipt } from '../support/events.js'

const entry: Entry = {
  seq: 42,
  source: 'main',
  provider: 'defective',
  via: 'CALLBACK',
  receivedAt: 1,
  facts: { method: 'POST', path: '/callbacks/main', query: '' },
  body: Buffer.from('everything that was received'),
}

const sourceOf = (items: readonly unknown[]): DecodableSource => ({
  provider: { name: 'defective', decode: () => items as Item[] },
  settings: { textFields: [], ignoreEvents: [] },
})

const anything = fc.oneof(
  fc.anything(),
  fc.constantFrom(undefined, null, Number.NaN, -1, 2 ** 60, 10n ** 30n, '', '\ud800', Symbol('x'), () => 1, {}),
  fc.constantFrom(new Date(Number.NaN), Object.create(null), { toString: null }),
  fc.nat(1_000_000).map((length) => 'x'.repeat(length)),
)
const FIELDS = Object.keys({ ...receipt(), ...message(), ...deadLetter(), identity: null, isFinal: true })
const body = fc.constantFrom(
  Buffer.from('a row'),
  new Uint8Array([1, 2, 3]),
  Buffer.alloc(0),
  Buffer.alloc(600_000, 'z'),
)
const good = fc.constantFrom(receipt(), message(), deadLetter())

/** An item of which some fields hold anything. */
const defective = fc
  .tuple(good, body, fc.dictionary(fc.constantFrom(...FIELDS), anything, { maxKeys: 3 }))
  .map(([event, bytes, wrong]) => ({ identity: null, ...event, body: bytes, ...wrong }))
const longReason = fc.nat(1_500_000).map((length) => ({ ...deadLetter(), reason: 'x'.repeat(length) }))
const items = fc.array(
  fc.oneof({ weight: 8, arbitrary: fc.oneof(defective, longReason) }, { weight: 1, arbitrary: anything }),
  {
    maxLength: 4,
  },
)

describe('An item of a provider with a defect', () => {
  it('becomes records that fit, of which dead letters hold its bytes, whatever it is', async () => {
    const encoder = await createEncoder()
    let replaced = 0
    fc.assert(
      fc.property(items, (returned) => {
        for (const { event, body: bytes } of decode(entry, sourceOf(returned), 'journal')) {
          const { records, deadLetter: made } = encoder.encode(event, { body: bytes, facts: entry.facts })
          expect(records.length).toBeGreaterThan(0)
          for (const record of records) expect(maxEncodedBytes(record)).toBeLessThanOrEqual(maxRecordBytes(MAX_BATCH))
          if (made === null) continue
          replaced++
          const joined = Buffer.concat(records.map((record) => decodeRecord(record).fields['body'] as Buffer))
          expect(joined.equals(bytes)).toBe(true)
        }
      }),
      { numRuns: 1_000 },
    )
    expect(replaced).toBeGreaterThan(100)
  })

  it('stays a dead letter when it is replayed, whatever it is', async () => {
    const encoder = await createEncoder()
    const origin = { kind: 'dead-letter', eventId: 'journal-1-0', reason: 'unknown-source' } as const
    fc.assert(
      fc.property(items, (returned) => {
        for (const { event, body: bytes } of decodeDeadLetter(entry, origin, sourceOf(returned))) {
          if (event.kind !== 'dead-letter') encoder.encode(event, { body: bytes, facts: entry.facts })
        }
      }),
      { numRuns: 150 },
    )
  })

  it('does not take the items before it with it, and its entry is kept as a whole', () => {
    const [first, second, ...more] = decode(
      entry,
      sourceOf([
        { ...receipt(), identity: null, body: entry.body },
        { kind: 'dlr', identity: null },
      ]),
      'j1',
    )
    expect(first?.event.kind).toBe('dlr')
    expect(second).toMatchObject({ body: entry.body, event: { reason: 'decoder-failed', eventId: 'j1-42-1' } })
    expect(more).toEqual([])
  })
})
