import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatDuration, formatSize, parseDuration, parseSize } from '../../src/config/units.js'

describe('parseDuration and formatDuration', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['3m', 180_000],
    ['1h', 3_600_000],
    ['31d', 2_678_400_000],
    ['0s', 0],
    ['0', 0],
  ])('read %s as %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it.each(['', '30', '30 s', '-1s', '1.5h', '1h30m', 's', '3M', '1e3s', '99999999999999999999d', ' 3s', '3s\n'])(
    'refuse %j',
    (text) => {
      expect(parseDuration(text)).toBeUndefined()
    },
  )

  it('invert each other', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms)
      }),
    )
  })

  it('write the largest unit that is exact', () => {
    expect([5_400_000, 86_400_000, 1_001, 0].map(formatDuration)).toEqual(['90m', '1d', '1001ms', '0ms'])
  })
})

describe('parseSize and formatSize', () => {
  it.each([
    ['512KiB', 524_288],
    ['1GiB', 1_073_741_824],
    ['64KB', 64_000],
    ['64kB', 64_000],
    ['2MB', 2_000_000],
    ['1000', 1_000],
    ['1B', 1],
  ])('read %s as %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  it.each(['', 'KiB', '1.5GiB', '-1', '1 KiB', '1kib', '1Ki', '0x10', '9007199254740993', '9999999TiB'])(
    'refuse %j',
    (text) => {
      expect(parseSize(text)).toBeUndefined()
    },
  )

  it('invert each other', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        expect(parseSize(formatSize(bytes))).toBe(bytes)
      }),
    )
  })
})
