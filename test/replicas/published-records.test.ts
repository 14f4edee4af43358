/** What replicas read from each other: published records and watch requests. */
import type { KafkaMessage } from 'kafkajs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CloudEventsHeaders } from '../../src/encode/cloudevents-headers.js'
import { decodePublishedRecord, DuplicatePublicationDetector } from '../../src/replicas/published-records.js'
import { decodeWatchRequestRecord, encodeWatchRequestRecord } from '../../src/replicas/watch-relay.js'
import { message, receipt } from '../support/events.js'

const record = (key: string, headers: Record<string, string>): KafkaMessage => ({
  key: Buffer.from(key),
  value: Buffer.alloc(0),
  headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)])),
  timestamp: '0',
  attributes: 0,
  offset: '0',
})

describe('decodePublishedRecord', () => {
  it('returns source, event id and time of arrival, and the message id of a receipt', () => {
    const dlr = receipt({ source: 'seven-main', provider: 'seven' })
    expect(decodePublishedRecord(record('77', new CloudEventsHeaders().of(dlr, dlr.eventId)))).toEqual({
      source: 'seven-main',
      eventId: dlr.eventId,
      receivedAt: dlr.receivedAt,
      messageId: '77',
    })
    const mo = message()
    expect(decodePublishedRecord(record('+49', new CloudEventsHeaders().of(mo, mo.eventId)))?.messageId).toBeNull()
  })

  it('returns undefined for a record without an identity, and for a record of another producer', () => {
    const dlr = receipt()
    expect(decodePublishedRecord(record('77', new CloudEventsHeaders().of(dlr, 'journal-17-0')))).toBeUndefined()
    expect(decodePublishedRecord(record('77', new CloudEventsHeaders().of(dlr, `${dlr.eventId}/1`)))).toBeUndefined()
    expect(decodePublishedRecord(record('77', {}))).toBeUndefined()
    expect(
      decodePublishedRecord(record('77', { ...new CloudEventsHeaders().of(dlr, dlr.eventId), ce_time: 'noon' })),
    ).toBeUndefined()
  })
})

describe('A watch request record', () => {
  it('is decoded to what was encoded', () => {
    const watched = fc.array(fc.record({ messageId: fc.string(), since: fc.nat() }))
    fc.assert(
      fc.property(fc.string(), watched, (source, list) => {
        const value = Buffer.from(encodeWatchRequestRecord({ source, watched: list }))
        expect(decodeWatchRequestRecord({ value })).toEqual({ source, watched: list })
      }),
    )
  })

  it('is undefined for any other record', () => {
    for (const value of [null, 'x', '3', '{}', '{"source":1,"watch":[]}', '{"source":"s","watch":{}}']) {
      expect(decodeWatchRequestRecord({ value: value === null ? null : Buffer.from(value) })).toBeUndefined()
    }
    expect(
      decodeWatchRequestRecord({ value: Buffer.from('{"source":"s","watch":[["1"],[2,3],4,["ok",5]]}') })?.watched,
    ).toEqual([{ messageId: 'ok', since: 5 }])
  })
})

describe('DuplicatePublicationDetector', () => {
  it('reports an event at two places, but not a record that is read again', () => {
    const detector = new DuplicatePublicationDetector(10)
    expect(detector.isDuplicate('a', 'dlr 0 1')).toBe(false)
    expect(detector.isDuplicate('a', 'dlr 0 1')).toBe(false)
    expect(detector.isDuplicate('a', 'dlr 0 9')).toBe(true)
    for (let i = 0; i < 30; i++) detector.isDuplicate(`other-${i}`, `dlr 0 ${i}`)
    expect(detector.isDuplicate('a', 'dlr 0 50')).toBe(false)
  })
})
