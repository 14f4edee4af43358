import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32c, crc32cInJavaScript } from '../../src/kafka/crc32c.js'

describe.each([
  ['The checksum of the package', crc32c],
  ['The checksum in JavaScript', crc32cInJavaScript],
])('%s', (_name, compute) => {
  // RFC 3720, B.4, and the check value of the catalogue of CRC algorithms.
  it.each([
    [Buffer.from('123456789'), 0xe3069283],
    [Buffer.alloc(32, 0), 0x8a9136aa],
    [Buffer.alloc(32, 0xff), 0x62a8ab43],
    [Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
    [Buffer.alloc(0), 0],
  ])('is that of CRC-32C', (data, expected) => {
    expect(compute(data)).toBe(expected)
  })

  it('agrees with the other one for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
        expect(compute(Buffer.from(bytes))).toBe(crc32cInJavaScript(Buffer.from(bytes)))
      }),
    )
  })
})
