/** Random changes to bytes, as they happen on a wire or in a program that writes them. */
import fc from 'fast-check'

type Mutation = (bytes: Uint8Array) => Uint8Array

/** A place is a share of the length, so that a mutation fits any bytes. It is not biased towards the ends. */
const place = fc.noBias(fc.integer({ min: 0, max: 10_000 })).map((share) => share / 10_000)
const indexAt = (bytes: Uint8Array, share: number): number => Math.floor(share * bytes.length)

const flip: fc.Arbitrary<Mutation> = fc
  .tuple(place, fc.integer({ min: 0, max: 255 }))
  .map(([share, byte]) => (bytes) => {
    const changed = Buffer.from(bytes)
    if (changed.length > 0) changed[Math.min(indexAt(bytes, share), changed.length - 1)] = byte
    return changed
  })

const cut: fc.Arbitrary<Mutation> = place.map(
  (share) => (bytes) => Buffer.from(bytes.subarray(0, indexAt(bytes, share))),
)

const drop: fc.Arbitrary<Mutation> = fc.tuple(place, place).map(([a, b]) => (bytes) => {
  const [from, to] = [indexAt(bytes, Math.min(a, b)), indexAt(bytes, Math.max(a, b))]
  return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])
})

const double: fc.Arbitrary<Mutation> = fc.tuple(place, place).map(([a, b]) => (bytes) => {
  const [from, to] = [indexAt(bytes, Math.min(a, b)), indexAt(bytes, Math.max(a, b))]
  return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)])
})

const PIECES = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '&',
  '=',
  '%',
  '%zz',
  '+',
  '\n',
  '\0',
  'null',
  '{}',
  '[]',
  '\u00e9',
]

const insert: fc.Arbitrary<Mutation> = fc
  .tuple(
    place,
    fc.oneof(
      fc.constantFrom(...PIECES).map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 8 }),
    ),
  )
  .map(([share, piece]) => (bytes) => {
    const index = indexAt(bytes, share)
    return Buffer.concat([bytes.subarray(0, index), piece, bytes.subarray(index)])
  })

/** Applies one to four random changes, one after the other. */
export const mutations: fc.Arbitrary<Mutation> = fc
  .array(fc.oneof(flip, cut, drop, double, insert), { minLength: 1, maxLength: 4 })
  .map((list) => (bytes) => list.reduce((changed, mutate) => mutate(changed), bytes))
