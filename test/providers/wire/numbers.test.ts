import { describe, expect, it } from 'vitest'
import { phoneNumber } from '../../../src/providers/wire/numbers.js'

describe('phone numbers', () => {
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
  ])('%s becomes %s', (sent, number) => expect(phoneNumber(sent)).toBe(number))

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
  ])('"%s" stays as sent', (sent) => expect(phoneNumber(sent)).toBe(sent))
})
