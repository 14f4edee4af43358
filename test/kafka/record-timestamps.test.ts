import { beforeEach, describe, expect, it } from 'vitest'
import { BrokerError } from '../../src/kafka/broker-error.js'
import type { OutgoingRecord } from '../../src/kafka/publisher.js'
import { RecordTimestamps } from '../../src/kafka/record-timestamps.js'
import { ManualClock } from '../support/manual-clock.js'

const INVALID_TIMESTAMP = 32
const NOT_ENOUGH_REPLICAS = 19
const HOUR_MS = 3_600_000

let clock: ManualClock
let timestamps: RecordTimestamps
beforeEach(() => {
  clock = new ManualClock()
  timestamps = new RecordTimestamps(clock)
})

/** A record that was received so long ago. */
const record = (waitMs: number, topic = 'dlr'): OutgoingRecord => ({
  topic,
  key: 'k',
  value: Buffer.alloc(0),
  headers: {},
  timestamp: clock.now() - waitMs,
})
const timestampOf = (each: OutgoingRecord): number => timestamps.timestampOf(each, clock.now())
const refusal = (errorCode: number, topic = 'dlr'): Error =>
  new Error('outer', { cause: new BrokerError('Produce', { errorCode, topic, partition: 0 }) })

describe('RecordTimestamps', () => {
  it('gives a record the time at which its item was received, however long ago', () => {
    expect(timestampOf(record(1_000 * HOUR_MS))).toBe(clock.now() - 1_000 * HOUR_MS)
  })

  it('gives a record without a time, and one from the future, the time of publishing', () => {
    expect(timestampOf({ ...record(0), timestamp: undefined } as never)).toBe(clock.now())
    expect(timestampOf(record(-5_000))).toBe(clock.now())
  })

  it('gives records that waited for too long for their topic the time of publishing, and leaves other topics alone', () => {
    const changed = timestamps.adaptTo(refusal(INVALID_TIMESTAMP), [record(4 * HOUR_MS), record(1), record(9e9, 'mo')])
    expect(changed).toMatch(
      /^topic dlr refuses the time .* up to 14400 s ago; .* more than 7200 s get the time of publishing/,
    )
    expect(changed).toContain('raise message.timestamp.before.max.ms of topic dlr')
    expect(timestampOf(record(3 * HOUR_MS))).toBe(clock.now())
    expect(timestampOf(record(HOUR_MS))).toBe(clock.now() - HOUR_MS)
    expect(timestampOf(record(3 * HOUR_MS, 'mo'))).toBe(clock.now() - 3 * HOUR_MS)
  })

  it.each([0, 1_500, 100_000, HOUR_MS, 24 * HOUR_MS])(
    'finds timestamps that a topic accepts whose limit is %i ms, within 20 attempts',
    (limitMs) => {
      const records = Array.from({ length: 400 }, (_, i) => record(i * HOUR_MS))
      let attempts = 0
      const isRefused = (): boolean => records.some((each) => clock.now() - timestampOf(each) > limitMs)
      while (isRefused()) {
        attempts++
        expect(timestamps.adaptTo(refusal(INVALID_TIMESTAMP), records)).toBeDefined()
      }
      expect(attempts).toBeLessThan(20)
    },
  )

  it('changes nothing where the clocks are the cause, because nothing waited', () => {
    expect(timestamps.adaptTo(refusal(INVALID_TIMESTAMP), [record(10)])).toBeUndefined()
    timestamps.adaptTo(refusal(INVALID_TIMESTAMP), [record(5_000)])
    expect(timestamps.adaptTo(refusal(INVALID_TIMESTAMP), [record(5_000)])).toBeUndefined()
  })

  it('changes nothing where the clock of this machine is ahead, although the records waited by that clock', () => {
    const refused = refusal(INVALID_TIMESTAMP)
    expect(timestamps.adaptTo(refused, [record(HOUR_MS)], 3 * HOUR_MS)).toBeUndefined()
    expect(timestampOf(record(HOUR_MS))).toBe(clock.now() - HOUR_MS)
    expect(timestamps.adaptTo(refused, [record(4 * HOUR_MS)], 3 * HOUR_MS)).toBeDefined()
  })

  it('changes nothing where only the clock of this machine, which is behind, makes the records old', () => {
    expect(timestamps.adaptTo(refusal(INVALID_TIMESTAMP), [record(10)], -3 * HOUR_MS)).toBeUndefined()
  })

  it('changes nothing after another error', () => {
    expect(timestamps.adaptTo(refusal(NOT_ENOUGH_REPLICAS), [record(HOUR_MS)])).toBeUndefined()
    expect(timestamps.adaptTo(new Error('gone'), [record(HOUR_MS)])).toBeUndefined()
  })
})
