import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseCount, parseNetwork, parsePrice } from '../../../src/providers/wire/numbers.js'

describe('parseCount', () => {
  it('reads every number from 1 to the largest that an Avro int holds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (count) => {
        expect(parseCount(String(count))).toBe(count)
        expect(parseCount(`${count}.0`)).toBe(count)
      }),
    )
  })

  it.each([undefined, '', '0', '-1', '1.5', '1e3', '0x10', '2147483648', '99999999999', 'two', '+1', '1,000'])(
    'returns null for %s',
    (sent) => expect(parseCount(sent)).toBeNull(),
  )
})

describe('parsePrice', () => {
  it.each(['0', '0.0750', '12', '-0.5', '12345678901234567890.123'])(
    'keeps the decimal number %s as sent',
    (amount) => {
      expect(parsePrice(amount, null)).toEqual({ amount, currency: null })
      expect(parsePrice(amount, 'EUR')).toEqual({ amount, currency: 'EUR' })
    },
  )

  it.each([undefined, '', '0,075', '1e-3', '.5', '5.', 'free', '0.05 EUR', 'NaN'])('returns null for %s', (sent) => {
    expect(parsePrice(sent, null)).toBeNull()
  })
})

describe('parseNetwork', () => {
  it.each(['26207', '310260'])('reads %s', (network) => expect(parseNetwork(network)).toBe(network))

  it.each([undefined, '', '2620', '3102600', '262-07', '262 07', 'O2'])('returns null for %s', (sent) => {
    expect(parseNetwork(sent)).toBeNull()
  })
})
