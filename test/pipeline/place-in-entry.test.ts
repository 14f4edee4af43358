import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatPlace, ItemDigest, laterOf, parsePlace, type Position } from '../../src/pipeline/place-in-entry.js'

const place = fc.record({
  items: fc.nat(10_000_000),
  parts: fc.nat(200),
  partCount: fc.nat(200),
  partsDigest: fc.constantFrom('', '0123456789abcdef0123456789abcdef'),
  digest: fc.stringMatching(/^[0-9a-f]{32}$/),
})
const position: fc.Arbitrary<Position> = fc.record({ upTo: fc.integer({ min: -1, max: 3 }), place: fc.option(place) })

describe('A place inside an entry', () => {
  it('is read from the metadata of an offset as it was written, within the 4,096 characters that a broker takes', () => {
    fc.assert(
      fc.property(fc.option(place), (written) => {
        const metadata = formatPlace(written)
        expect(parsePlace(metadata)).toEqual(written)
        expect(metadata.length).toBeLessThan(200)
      }),
    )
  })

  it('is not found in any other text', () => {
    fc.assert(fc.property(fc.string(), (text) => parsePlace(text) === null))
    for (const text of ['', 'dlr-mo-connector:2 items=1 parts=0/0 digest=00000000000000000000000000000000', '{}']) {
      expect(parsePlace(text)).toBeNull()
    }
  })
})

describe('laterOf', () => {
  it('returns one of the two positions, whichever comes first in the call', () => {
    fc.assert(
      fc.property(position, position, (one, other) => {
        const later = laterOf(one, other)
        expect([one, other]).toContain(later)
        expect(later.upTo).toBe(Math.max(one.upTo, other.upTo))
        const { items, parts } = later.place ?? { items: 0, parts: 0 }
        const reversed = laterOf(other, one).place ?? { items: 0, parts: 0 }
        expect([reversed.items, reversed.parts]).toEqual([items, parts])
      }),
    )
  })
})

describe('ItemDigest', () => {
  it('does not depend on how often it was asked for, and differs for other items, kinds and orders', () => {
    const digestOf = (items: readonly (readonly [string, string])[], isAskedOften = false): string => {
      const digest = new ItemDigest()
      for (const [kind, id] of items) {
        digest.add(kind, id)
        if (isAskedOften) digest.value()
      }
      return digest.value()
    }
    const item = fc.tuple(fc.constantFrom('dlr', 'mo'), fc.stringMatching(/^[0-9a-f]{1,32}$/))
    fc.assert(
      fc.property(fc.array(item), fc.array(item), (one, other) => {
        expect(digestOf(one, true)).toBe(digestOf(one))
        expect(digestOf(one) === digestOf(other)).toBe(JSON.stringify(one) === JSON.stringify(other))
      }),
    )
  })
})
