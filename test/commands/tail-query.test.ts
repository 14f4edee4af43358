import { describe, expect, it } from 'vitest'
import { parseTailQuery, type TailOptions } from '../../src/commands/tail-query.js'
import { hashNumber } from '../../src/masking/record-fields.js'
import type { DecodedRecord } from '../../src/commands/record-decoder.js'

const NOW = Date.UTC(2026, 0, 15, 12)

const parse = (topic: string | undefined, options: Partial<TailOptions> = {}) =>
  parseTailQuery(
    topic,
    { config: 'c', json: false, follow: false, fromBeginning: false, personalData: 'masked', ...options },
    NOW,
  )

const record = (value: DecodedRecord['value'], more: Partial<DecodedRecord> = {}): DecodedRecord => ({
  topic: 't',
  partition: 0,
  offset: 0,
  timestamp: NOW,
  key: 'a-key',
  headers: { ce_id: 'event-1/2', ce_source: '/seven/seven-main' },
  ...(value && { value }),
  ...more,
})

it('tail finds a hashed key by the number and by the hash, and another number by neither', () => {
  const secret = 's'.repeat(32)
  const isMatch = (key: string): boolean => {
    const options = { config: 'c', json: false, follow: false, fromBeginning: false, personalData: 'masked', key }
    return parseTailQuery('mo', options, NOW, () => secret).isMatch(
      record(undefined, { key: hashNumber('+33612345678', secret) }),
    )
  }
  expect(isMatch('+33612345678')).toBe(true)
  expect(isMatch(hashNumber('+33612345678', secret))).toBe(true)
  expect(isMatch('+33612345679')).toBe(false)
})

describe('The arguments of tail', () => {
  it('ask for the last 10 records of every topic if there are none', () => {
    expect(parse(undefined)).toMatchObject({
      kinds: ['dlr', 'mo', 'dead-letter'],
      from: 'end',
      since: undefined,
      limit: 10,
      follow: false,
      personalData: 'masked',
    })
  })

  it.each([
    ['10m', NOW - 600_000],
    ['2h', NOW - 7_200_000],
    ['2026-01-15T11:30:00Z', NOW - 1_800_000],
    ['2026-01-15T12:30+01:00', NOW - 1_800_000],
    ['99999d', 0],
  ])('ask for everything since --since %s', (since, time) => {
    expect(parse('mo', { since })).toMatchObject({ kinds: ['mo'], since: time, limit: Infinity })
  })

  it('ask for everything with --from-beginning, and for --limit records', () => {
    expect(parse('dlr', { fromBeginning: true })).toMatchObject({ from: 'beginning', limit: Infinity })
    expect(parse('dlr', { fromBeginning: true, limit: '3' })).toMatchObject({ from: 'beginning', limit: 3 })
    expect(parse('dlr', { since: '1h', limit: '0' })).toMatchObject({ from: 'end', limit: 0 })
  })

  it('ask only for receipts with --status', () => {
    expect(parse(undefined, { status: 'delivered' }).kinds).toEqual(['dlr'])
  })

  it.each([
    ['sms.dlr', {}, /"sms.dlr"; dlr, mo, dead-letter/],
    ['dlr', { since: 'yesterday' }, /--since: found "yesterday"; a duration such as/],
    ['dlr', { since: '2026-01-15' }, /--since/],
    ['dlr', { since: '2026-01-15T12:00:00' }, /--since/],
    ['dlr', { since: '2026-13-45T12:00:00Z' }, /--since/],
    ['dlr', { since: '1h', fromBeginning: true }, /--since and --from-beginning exclude each other/],
    ['dlr', { limit: '-1' }, /--limit: found "-1"/],
    ['dlr', { limit: '1e3' }, /--limit/],
    ['dlr', { limit: '' }, /--limit/],
    ['dlr', { status: 'DELIVRED' }, /did you mean DELIVERED\?/],
    ['dlr', { status: 'DELIVERED,' }, /--status/],
    ['mo', { status: 'DELIVERED' }, /delivery receipts only/],
    ['mo', { personalData: 'hidden' }, /masked or plain/],
  ])('are refused with what is expected: %s %j', (topic, options, reason) => {
    expect(() => parse(topic, options)).toThrow(expect.objectContaining({ code: 'USAGE' }))
    expect(() => parse(topic, options)).toThrow(reason)
  })
})

describe('The filters of tail', () => {
  const value = { source: 'mtarget-fr', eventId: 'event-9', status: 'REJECTED' }

  it.each<[string, Partial<TailOptions>, DecodedRecord, boolean]>([
    ['no filter', {}, record(value), true],
    ['the source', { source: 'mtarget-fr' }, record(value), true],
    ['another source', { source: 'seven-main' }, record(value), false],
    ['the source of a record that was not decoded', { source: 'seven-main' }, record(undefined), true],
    ['the key', { key: 'a-key' }, record(value), true],
    ['another key', { key: 'b-key' }, record(value), false],
    ['a key where there is none', { key: 'a-key' }, record(value, { key: null }), false],
    ['the event id', { eventId: 'event-9' }, record(value), true],
    ['the event id of a part that was not decoded', { eventId: 'event-1' }, record(undefined), true],
    ['one of the statuses', { status: 'delivered, rejected' }, record(value), true],
    ['another status', { status: 'DELIVERED' }, record(value), false],
    ['the status of a record that was not decoded', { status: 'DELIVERED' }, record(undefined), false],
    ['one filter that holds and one that does not', { source: 'mtarget-fr', key: 'b' }, record(value), false],
  ])('by %s', (_name, options, each, isMatch) => {
    expect(parse(undefined, options).isMatch(each)).toBe(isMatch)
  })
})
