import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { parseInstant, parseInstantIn } from '../../../src/providers/wire/times.js'

vi.setConfig({ testTimeout: 60_000 })

const berlin = (sent: string): string | null => {
  const time = parseInstantIn('Europe/Berlin', sent)
  return time === null ? null : new Date(time).toISOString()
}

describe('parseInstant', () => {
  it.each([
    ['1605878104', '2020-11-20T13:15:04.000Z'],
    ['1605878104.5', '2020-11-20T13:15:04.500Z'],
    ['1605878104123', '2020-11-20T13:15:04.123Z'],
    ['2021-08-24T08:08:00+02:00', '2021-08-24T06:08:00.000Z'],
    ['2021-08-24T08:08:00+0200', '2021-08-24T06:08:00.000Z'],
    ['2021-08-24 08:08:00.123456 -05', '2021-08-24T13:08:00.123Z'],
    ['2021-08-24T08:08:00 02:00', '2021-08-24T06:08:00.000Z'],
    ['2021-08-24T08:08Z', '2021-08-24T08:08:00.000Z'],
    [' 2021-08-24T08:08:00Z ', '2021-08-24T08:08:00.000Z'],
  ])('reads %s as %s', (sent, iso) => expect(new Date(parseInstant(sent) ?? Number.NaN).toISOString()).toBe(iso))

  it('reads exactly the dates that exist, among days, months and hours of any number', () => {
    const digits = (count: number, max: number) =>
      fc.integer({ min: 0, max }).map((value) => String(value).padStart(count, '0'))
    const year = fc.oneof(digits(4, 9999), digits(4, 120), fc.constantFrom('1900', '2000', '2023', '2024', '2100'))
    fc.assert(
      fc.property(year, digits(2, 14), digits(2, 33), digits(2, 25), digits(2, 61), digits(2, 61), (...parts) => {
        const [y, month, day, hour, minute, second] = parts
        const written = `${y}-${month}-${day}T${hour}:${minute}:${second}.000Z`
        const time = new Date(written)
        // The date is read back, because some engines take the 30th of February for the first of March.
        const exists = Number(y) >= 100 && !Number.isNaN(time.getTime()) && time.toISOString() === written
        expect(parseInstant(written)).toBe(exists ? time.getTime() : null)
      }),
      { numRuns: 2_000 },
    )
  })

  it('returns null for a date without a zone', () => expect(parseInstant('2026-11-02 10:11:12')).toBeNull())
  it('returns null for an absent value', () => expect(parseInstant(undefined)).toBeNull())
})

describe('parseInstantIn', () => {
  it.each([
    ['2021-08-24 08:08:00.000000', '2021-08-24T06:08:00.000Z'],
    ['2021-01-24 08:08:00', '2021-01-24T07:08:00.000Z'],
    ['2024-03-31 01:59:59', '2024-03-31T00:59:59.000Z'],
    ['2024-03-31 03:00:00', '2024-03-31T01:00:00.000Z'],
    ['2024-10-27 01:59:59', '2024-10-26T23:59:59.000Z'],
    ['2024-10-27 03:00:00', '2024-10-27T02:00:00.000Z'],
    ['2021-08-24T08:08:00+00:00', '2021-08-24T08:08:00.000Z'],
  ])('reads %s on a clock in Berlin as %s', (sent, iso) => expect(berlin(sent)).toBe(iso))

  it.each([
    ['an impossible second, which a provider has in its sample', '2024-02-13 05:50:63.102'],
    ['an hour that occurs twice', '2024-10-27 02:30:00'],
    ['an hour that does not occur', '2024-03-31 02:30:00'],
    ['a day that does not occur', '2024-02-30 10:00:00'],
    ['a month that does not occur', '2024-13-01 10:00:00'],
    ['a date of ten digits', '2611021011'],
    ['a date of fourteen digits', '20261102101112'],
    ['a day and a month in an unknown order', '02/03/2026 10:00'],
    ['a time of day', '10:00:00'],
    ['a date', '2026-11-02'],
    ['zero', '0'],
    ['a word', 'null'],
    ['an empty text', ''],
  ])('returns null for %s: %s', (_, sent) => expect(berlin(sent)).toBeNull())

  it('returns null or whole milliseconds, whatever was sent', () => {
    const piece = fc.constantFrom(...'0123456789-: T.+Z,', '2024', '-02-', '00:00')
    fc.assert(
      fc.property(fc.string({ unit: piece }), (sent) => {
        const time = parseInstantIn('Europe/Berlin', sent)
        expect(time === null || Number.isInteger(time)).toBe(true)
      }),
    )
  })

  it('reads back a wall clock that `Intl` has written', () => {
    const format = new Intl.DateTimeFormat('sv-SE', {
      timeZone: 'Europe/Berlin',
      dateStyle: 'short',
      timeStyle: 'medium',
    })
    fc.assert(
      fc.property(
        fc.date({ min: new Date('2001-01-01'), max: new Date('2032-12-31'), noInvalidDate: true }),
        (date) => {
          const written = format.format(date)
          const time = parseInstantIn('Europe/Berlin', written)
          if (time !== null) expect(time).toBe(Math.floor(date.getTime() / 1000) * 1000)
          else expect(written).toMatch(/-10-.* 02:/)
        },
      ),
    )
  })
})
