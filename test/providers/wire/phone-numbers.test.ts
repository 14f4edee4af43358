import { describe, expect, it } from 'vitest'
import { normalizePhoneNumber } from '../../../src/providers/wire/phone-numbers.js'

describe('normalizePhoneNumber', () => {
  it.each([
    ['+33612345678', '+33612345678'],
    ['0033612345678', '+33612345678'],
    ['33612345678', '+33612345678'],
    ['00221771234567', '+221771234567'],
    ['491771783130', '+491771783130'],
    ['+33 6 12-34.56 (78)', '+33612345678'],
    [' 33612345678', '+33612345678'],
    ['123456789', '+123456789'],
    ['123456789012345', '+123456789012345'],
  ])('writes %s as %s', (sent, number) => expect(normalizePhoneNumber(sent)).toBe(number))

  it.each([
    '36180',
    '12345678',
    '1234567890123456',
    '0612345678',
    'SMS',
    'MyBrand 24',
    '',
    '+',
    '00',
    '+0123',
    'null',
    '33 6 12 34 56 78',
    '+33x',
  ])('returns "%s" as sent', (sent) => expect(normalizePhoneNumber(sent)).toBe(sent))
})
