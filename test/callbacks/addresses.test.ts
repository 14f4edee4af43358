import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AddressRanges, clientAddress } from '../../src/http-server/addresses.js'

const ranges = new AddressRanges([
  '195.201.160.143/32',
  '10.1.2.3/8',
  '192.0.2.7/32',
  '2a01:4f8:13a:8e7::/64',
  '::ffff:172.16.0.0/108',
])

describe('AddressRanges', () => {
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
  ])('given the address %s, has it: %s', (address, isInRange) => {
    expect(ranges.has(clientAddress(address, undefined, false))).toBe(isInRange)
  })

  it('compares an IPv4-mapped IPv6 address, which dual-stack sockets report, with IPv4 ranges', () => {
    expect(ranges.has(clientAddress('::ffff:195.201.160.143', undefined, false))).toBe(true)
    expect(ranges.has(clientAddress('::FFFF:10.0.0.1', undefined, false))).toBe(true)
    expect(ranges.has(clientAddress('::ffff:11.0.0.1', undefined, false))).toBe(false)
  })

  it('contains no address without a range, and never an unknown address', () => {
    expect(new AddressRanges([]).has('10.0.0.1')).toBe(false)
    expect(ranges.has(undefined)).toBe(false)
  })

  it('agrees with arithmetic on the bits of IPv4 addresses', () => {
    const toNumber = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (net, address, bits) => {
        const within = toNumber(net) >>> 0 === toNumber(address) >>> 0
        const shift = 32 - bits
        const same =
          bits === 0 || Math.floor(toNumber(net) / 2 ** shift) === Math.floor(toNumber(address) / 2 ** shift) || within
        expect(new AddressRanges([`${net}/${bits}`]).has(address)).toBe(same)
      }),
    )
  })
})

describe('clientAddress', () => {
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
  ])('behind a trusted proxy that sends X-Forwarded-For "%s" is %s', (header, address) => {
    expect(clientAddress('127.0.0.1', header, true)).toBe(address)
  })

  it('is the address of the socket if no proxy is trusted, whatever the header contains', () => {
    expect(clientAddress('198.51.100.1', '203.0.113.9', false)).toBe('198.51.100.1')
  })

  it('is the address of the socket if the trusted proxy sends no header', () => {
    expect(clientAddress('198.51.100.1', undefined, true)).toBe('198.51.100.1')
  })
})
