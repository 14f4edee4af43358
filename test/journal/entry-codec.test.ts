/** The encrypted form of entries: any entry comes back, and whatever was changed in it is noticed. */
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EntryCodec, idOfKey, keyIdOf, UnreadableEntryError } from '../../src/journal/entry-codec.js'
import type { StoredEntry } from '../../src/journal/stored-entry.js'
import { entryOf } from './journal-contract.js'

const JOURNAL = 'a1b2c3'
const KEY = Buffer.alloc(32, 1)
const OTHER_KEY = Buffer.alloc(32, 2)

const codecWith = (key?: Uint8Array, ...previousKeys: Uint8Array[]): EntryCodec =>
  new EntryCodec(JOURNAL, { ...(key && { key }), previousKeys })

const encrypt = (entry: StoredEntry, seq: number, codec = codecWith(KEY)): Buffer => {
  const value = codec.encode(entry, seq)
  if (!(value instanceof Uint8Array)) throw new Error('the entry is not encrypted')
  return Buffer.from(value)
}

const toComparable = ({ body, ...rest }: StoredEntry): object => ({ ...rest, body: Buffer.from(body).toString('hex') })

const seqs = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const text = fc.string({ unit: 'grapheme' })
const entries: fc.Arbitrary<StoredEntry> = fc.record(
  {
    source: text,
    provider: text,
    via: fc.constantFrom('PULL' as const, 'CALLBACK' as const, 'QUERY' as const),
    receivedAt: fc.nat({ max: 8.64e15 }),
    facts: fc.record({ method: text, path: text, query: text, 'content-type': text }),
    body: fc.uint8Array({ maxLength: 3_000 }),
    traceparent: text,
    handedInAt: fc.nat(),
    origin: fc.record({ kind: fc.constant('import' as const), journalId: text, seq: seqs }),
  },
  { requiredKeys: ['source', 'provider', 'via', 'receivedAt', 'facts', 'body'] },
)

describe('EntryCodec', () => {
  it('returns any entry as it was, to the run that wrote it and to a later one', () => {
    fc.assert(
      fc.property(entries, seqs, (entry, seq) => {
        const writer = codecWith(KEY)
        const value = encrypt(entry, seq, writer)
        for (const reader of [writer, codecWith(KEY), codecWith(OTHER_KEY, KEY), codecWith(undefined, KEY)]) {
          expect(toComparable(reader.decode(value, seq))).toEqual(toComparable(entry))
        }
      }),
    )
  })

  it('finds every flipped bit', () => {
    const value = encrypt(entryOf('a number: +33612345678'), 7)
    const reader = codecWith(KEY)
    for (let bit = 0; bit < 8 * value.length; bit++) {
      const changed = Buffer.from(value)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      expect(() => reader.decode(changed, 7), `bit ${bit}`).toThrow(UnreadableEntryError)
    }
  })

  it('finds values that are cut, longer, or put together from two', () => {
    fc.assert(
      fc.property(entries, entries, fc.nat(), (entry, other, cut) => {
        const reader = codecWith(KEY)
        const [value, second] = [encrypt(entry, 1), encrypt(other, 2)]
        const length = cut % value.length
        expect(() => reader.decode(value.subarray(0, length), 1)).toThrow(UnreadableEntryError)
        expect(() => reader.decode(Buffer.concat([value, Buffer.of(0)]), 1)).toThrow(UnreadableEntryError)
        const joined = Buffer.concat([value.subarray(0, 25), second.subarray(25)])
        expect(() => reader.decode(joined, 2)).toThrow(UnreadableEntryError)
      }),
    )
  })

  it('refuses any bytes that it has not written', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), seqs, (bytes, seq) => {
        expect(() => codecWith(KEY).decode(bytes, seq)).toThrow(UnreadableEntryError)
      }),
    )
  })

  it('refuses an entry under another number and in another journal', () => {
    const value = encrypt(entryOf('x'), 7)
    expect(() => codecWith(KEY).decode(value, 8)).toThrow(UnreadableEntryError)
    expect(() => new EntryCodec('other', { key: KEY }).decode(value, 7)).toThrow(UnreadableEntryError)
  })

  it('names the key that is missing', () => {
    const value = encrypt(entryOf('x'), 7)
    expect(keyIdOf(value)).toBe(idOfKey(KEY))
    let missingKeyId: unknown
    try {
      codecWith(OTHER_KEY).decode(value, 7)
    } catch (error) {
      missingKeyId = (error as UnreadableEntryError).missingKeyId
    }
    expect(missingKeyId).toBe(idOfKey(KEY))
  })

  it('writes plain entries without a key, and reads them with one', () => {
    const entry = entryOf('x')
    expect(codecWith().encode(entry, 1)).toBe(entry)
    expect(codecWith(KEY).decode(entry, 1)).toBe(entry)
    expect(keyIdOf(entry)).toBe(null)
  })

  it('never encrypts with the same derived key and nonce twice, even if two runs give out the same number', () => {
    const [first, second] = [encrypt(entryOf('same'), 7), encrypt(entryOf('same'), 7)]
    const salts = [first, second].map((value) => value.toString('hex', 9, 25))
    expect(new Set(salts).size).toBe(2)
    const third = codecWith(KEY)
    const [one, two] = [encrypt(entryOf('same'), 7, third), encrypt(entryOf('same'), 8, third)]
    expect(one.subarray(0, 25)).toEqual(two.subarray(0, 25))
    expect(one.subarray(25, -16)).not.toEqual(two.subarray(25, -16))
  })

  it('writes nothing of an entry and of the key in the clear', () => {
    const key = randomBytes(32)
    const entry = entryOf('CANARY-TEXT +33612345678', { source: 'CANARY-SOURCE' })
    const value = encrypt(entry, 7, new EntryCodec(JOURNAL, { key })).toString('latin1')
    for (const secret of ['CANARY', '33612345678', 'msg_id', 'callbacks', key.toString('latin1', 0, 8)]) {
      expect(value).not.toContain(secret)
    }
  })
})
