import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AddressRanges, clientAddress } from '../../src/callbacks/addresses.js'

const ranges = new AddressRanges(
  ['195.201.160.143/32', '10.1.2.3/8', '192.0.2.7', '2a01:4f8:13a:8e7::/64', '::ffff:172.16.0.0/108'],
  'sources.s.callback.allowFrom',
)

describe('a range', () => {
  it.each([
    ['195.201.160.143', true],
    ['195.201.160.144', false],
    ['10.255.0.1', true],
    ['11.0.0.1', false],
    ['192.0.2.7', true],
    ['192.0.2.8', false],
    ['2a01:4f8:13a:8e7::2', true],
    ['2a01:4f8:13a:8e8::2', false],
    ['172.16.200.1', true],
    ['172.32.0.1', false],
    ['::1', false],
  ])('%s: %s', (address, within) => {
    expect(ranges.has(clientAddress(address, undefined, false))).toBe(within)
  })

  it('is matched by an IPv4 address that comes in the form of IPv6, as on a socket that takes both', () => {
    expect(ranges.has(clientAddress('::ffff:195.201.160.143', undefined, false))).toBe(true)
    expect(ranges.has(clientAddress('::FFFF:10.0.0.1', undefined, false))).toBe(true)
    expect(ranges.has(clientAddress('::ffff:11.0.0.1', undefined, false))).toBe(false)
  })

  it('of none matches nobody', () => {
    expect(new AddressRanges([], 'k').has('10.0.0.1')).toBe(false)
    expect(ranges.has(undefined)).toBe(false)
  })

  it.each([
    '10.0.0.0/33',
    '10.0.0/8',
    'example.com',
    '',
    '10.0.0.0/8/8',
    '2a01::/129',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '::ffff:10.0.0.0/95',
  ])('that is none is refused, with key and value: %s', (text) => {
    expect(() => new AddressRanges([text], 'sources.s.callback.allowFrom')).toThrow(
      `sources.s.callback.allowFrom: found '${text}'`,
    )
  })

  it('agrees with arithmetic on the bits', () => {
    const toNumber = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (net, address, bits) => {
        const within = toNumber(net) >>> 0 === toNumber(address) >>> 0
        const shift = 32 - bits
        const same =
          bits === 0 || Math.floor(toNumber(net) / 2 ** shift) === Math.floor(toNumber(address) / 2 ** shift) || within
        expect(new AddressRanges([`${net}/${bits}`], 'k').has(address)).toBe(same)
      }),
    )
  })
})

describe('the address of a caller', () => {
  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['6.6.6.6, 203.0.113.9', '203.0.113.9'],
    ['6.6.6.6,7.7.7.7 ,  203.0.113.9 ', '203.0.113.9'],
    ['203.0.113.9:4711', '203.0.113.9'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['203.0.113.9, unknown', undefined],
    ['203.0.113.9,', undefined],
    ['', undefined],
  ])('behind a trusted proxy that says "%s" is %s', (header, address) => {
    expect(clientAddress('127.0.0.1', header, true)).toBe(address)
  })

  it('is that of the socket when no proxy is trusted, whatever a header says', () => {
    expect(clientAddress('198.51.100.1', '203.0.113.9', false)).toBe('198.51.100.1')
  })

  it('is that of the socket when the trusted proxy says nothing', () => {
    expect(clientAddress('198.51.100.1', undefined, true)).toBe('198.51.100.1')
  })
})
