/** What replicas read of each other: published records, and notes of what to watch. */
import type { KafkaMessage } from 'kafkajs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cloudEventsHeaders } from '../../src/encode/cloudevents-headers.js'
import { DuplicateDetector } from '../../src/replicas/duplicate-detector.js'
import { readPublished } from '../../src/replicas/published-record.js'
import { readNote, writeNote } from '../../src/replicas/watch-note.js'
import { message, receipt } from '../support/events.js'

const record = (key: string, headers: Record<string, string>): KafkaMessage => ({
  key: Buffer.from(key),
  value: Buffer.alloc(0),
  headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)])),
  timestamp: '0',
  attributes: 0,
  offset: '0',
})

describe('a published record', () => {
  it('tells its source, its identity, when it came, and of a receipt the message', () => {
    const dlr = receipt({ source: 'seven-main', provider: 'seven' })
    expect(readPublished(record('77', cloudEventsHeaders(dlr, dlr.eventId)))).toEqual({
      source: 'seven-main',
      eventId: dlr.eventId,
      receivedAt: dlr.receivedAt,
      messageId: '77',
    })
    const mo = message()
    expect(readPublished(record('+49', cloudEventsHeaders(mo, mo.eventId)))?.messageId).toBeNull()
  })

  it('is passed over where it has no identity of its own, or is not ours', () => {
    const dlr = receipt()
    expect(readPublished(record('77', cloudEventsHeaders(dlr, 'journal-17-0')))).toBeUndefined()
    expect(readPublished(record('77', cloudEventsHeaders(dlr, `${dlr.eventId}/1`)))).toBeUndefined()
    expect(readPublished(record('77', {}))).toBeUndefined()
    expect(readPublished(record('77', { ...cloudEventsHeaders(dlr, dlr.eventId), ce_time: 'noon' }))).toBeUndefined()
  })
})

describe('a note of what to watch', () => {
  it('comes out as it went in', () => {
    const watched = fc.array(fc.record({ messageId: fc.string(), since: fc.nat() }))
    fc.assert(
      fc.property(fc.string(), watched, (source, list) => {
        const value = Buffer.from(writeNote({ source, watched: list }))
        expect(readNote({ value })).toEqual({ source, watched: list })
      }),
    )
  })

  it('is none where it is anything else', () => {
    for (const value of [null, 'x', '3', '{}', '{"source":1,"watch":[]}', '{"source":"s","watch":{}}']) {
      expect(readNote({ value: value === null ? null : Buffer.from(value) })).toBeUndefined()
    }
    expect(readNote({ value: Buffer.from('{"source":"s","watch":[["1"],[2,3],4,["ok",5]]}') })?.watched).toEqual([
      { messageId: 'ok', since: 5 },
    ])
  })
})

describe('doubles', () => {
  it('are events at two places, not one that is read again', () => {
    const doubles = new DuplicateDetector(10)
    expect(doubles.isDuplicate('a', 'dlr 0 1')).toBe(false)
    expect(doubles.isDuplicate('a', 'dlr 0 1')).toBe(false)
    expect(doubles.isDuplicate('a', 'dlr 0 9')).toBe(true)
    for (let i = 0; i < 30; i++) doubles.isDuplicate(`other-${i}`, `dlr 0 ${i}`)
    expect(doubles.isDuplicate('a', 'dlr 0 50')).toBe(false)
  })
})
