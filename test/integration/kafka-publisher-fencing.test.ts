/** Only the youngest producer of an instance may publish, and the older one is fenced. */
import { randomUUID } from 'node:crypto'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { type Clock, systemClock } from '../../src/core/clock.js'
import { ExactlyOncePublisher, type ExactlyOncePublisherOptions } from '../../src/kafka/exactly-once-publisher.js'
import type { OutgoingRecord } from '../../src/kafka/publisher.js'
import type { KafkaSettings } from '../../src/kafka/settings.js'
import { readCommitted } from '../../dev/kafka/committed-reader.js'
import { publisherSettings } from '../support/publisher-settings.js'
import { API, KafkaProxy } from '../../dev/fault-injection/kafka-proxy.js'

const JOURNAL = 'a-journal'

/** The system clock, which a test can move forward. */
class ShiftedClock implements Clock {
  offsetMs = 0
  now = (): number => systemClock.now() + this.offsetMs
  monotonic = (): number => systemClock.monotonic() + this.offsetMs
  sleep = (ms: number, signal?: AbortSignal): Promise<void> => systemClock.sleep(ms, signal)
}

describe('Two producers of one instance', () => {
  let proxy: KafkaProxy
  let settings: KafkaSettings
  let made: ExactlyOncePublisher[]

  beforeEach(async () => {
    proxy = await KafkaProxy.startInFrontOf(inject('brokers')[0]!)
    settings = publisherSettings([proxy.address], randomUUID(), { requestTimeout: 3_000 })
    made = []
  })
  afterEach(async () => {
    for (const publisher of made) await publisher.close()
    await proxy.close()
  })

  const publisher = (more: Partial<ExactlyOncePublisherOptions> = {}): ExactlyOncePublisher => {
    const each = new ExactlyOncePublisher({ settings, clock: systemClock, log: pino({ level: 'silent' }), ...more })
    made.push(each)
    return each
  }
  const record = (text: string): OutgoingRecord => ({
    topic: settings.topics.dlr,
    key: 'k',
    value: Buffer.from(text),
    headers: {},
  })
  const committed = async (): Promise<string[]> =>
    (await readCommitted(inject('brokers'), settings.topics.dlr)).map(({ value }) => value.toString())

  it('let only the younger one publish, and report the takeover to the older one', async () => {
    const [older, younger] = [publisher(), publisher()]
    await older.open(JOURNAL)
    await older.publish([record('older')], 1)
    expect(await younger.open(JOURNAL)).toBe(1)
    await expect(older.publish([record('too late')], 2)).rejects.toMatchObject({ code: 'PRODUCER_REPLACED' })
    await younger.publish([record('younger')], 2)
    expect(await committed()).toEqual(['older', 'younger'])
  })

  it('read the position only after the older one can no longer commit', async () => {
    const [older, younger] = [publisher({ settings: { ...settings, brokers: inject('brokers') } }), publisher()]
    await older.open(JOURNAL)
    proxy.setRule((key) => (key === API.initProducerId ? 'hold' : 'pass'))
    const opening = younger.open(JOURNAL)
    await expect.poll(() => proxy.counts.hold).toBe(1)
    await older.publish([record('just in time')], 1)
    proxy.setRule(() => 'pass')
    proxy.releaseHeld()
    expect(await opening).toBe(1)
  })

  it('abort the open transaction of the older one before the younger one reads the position', async () => {
    const [older, younger] = [publisher(), publisher({ settings: { ...settings, brokers: inject('brokers') } })]
    await older.open(JOURNAL)
    proxy.setRule((key) => (key === API.endTxn ? 'hold' : 'pass'))
    const late = older.publish([record('older')], 1)
    late.catch(() => undefined)
    await expect.poll(() => proxy.counts.hold).toBe(1)
    expect(await younger.open(JOURNAL)).toBe(-1)
    proxy.setRule(() => 'pass')
    proxy.releaseHeld()
    await expect(late).rejects.toMatchObject({ code: 'PRODUCER_REPLACED' })
    await younger.publish([record('younger')], 1)
    expect(await committed()).toEqual(['younger'])
  })

  it('report doubt instead of a takeover when the broker may have aborted the transaction at its timeout', async () => {
    const clock = new ShiftedClock()
    const [older, younger] = [
      publisher({ clock }),
      publisher({ settings: { ...settings, brokers: inject('brokers') } }),
    ]
    await older.open(JOURNAL)
    proxy.setRule((key) => (key === API.endTxn ? 'hold' : 'pass'))
    const late = older.publish([record('older')], 1)
    late.catch(() => undefined)
    await expect.poll(() => proxy.counts.hold).toBe(1)
    await younger.open(JOURNAL)
    clock.offsetMs = 40_000 // as if this process had been stopped
    proxy.setRule(() => 'pass')
    proxy.releaseHeld()
    await expect(late).rejects.toMatchObject({ code: 'PUBLISH_IN_DOUBT' })
  })

  it('continue after the broker has aborted a transaction at its timeout', async () => {
    const slow = publisher({ settings: { ...settings, requestTimeout: 30_000, transactionTimeout: 1_000 } })
    await slow.open(JOURNAL)
    proxy.setRule((key) => (key === API.endTxn ? 'hold' : 'pass'))
    const publishing = slow.publish([record('once')], 1)
    publishing.catch(() => undefined)
    await expect.poll(() => proxy.counts.hold).toBe(1)
    // The broker looks for expired transactions every ten seconds. Readers get past this one once it is aborted.
    expect(await committed()).toEqual([])
    proxy.setRule(() => 'pass')
    proxy.releaseHeld()
    await expect(publishing).rejects.toMatchObject({ code: 'PUBLISH_IN_DOUBT' })
    expect(await slow.open(JOURNAL)).toBe(-1)
    await slow.publish([record('once')], 1)
    expect(await committed()).toEqual(['once'])
  })

  it('do not take their own late request for another process', async () => {
    const only = publisher()
    await only.open(JOURNAL)
    await only.publish([record('1')], 1)
    proxy.setRule((key) => (key === API.initProducerId ? 'hold' : 'pass'))
    await expect(only.open(JOURNAL)).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' })
    proxy.setRule(() => 'pass')
    await only.open(JOURNAL)
    proxy.releaseHeld()
    // The broker handles requests of two connections in any order, so the late request may fence the new producer.
    let position = 1
    await expect
      .poll(
        async () =>
          only.publish([record(String(position + 1))], position + 1).then(
            () => ((position += 1), 'fine'),
            (error: unknown) => error,
          ),
        { timeout: 10_000 },
      )
      .toMatchObject({ code: 'PUBLISH_IN_DOUBT' })
    expect(await only.open(JOURNAL)).toBe(position)
    await only.publish([record('last')], position + 1)
    const texts = await committed()
    expect(texts).toEqual([...Array.from({ length: position }, (_, i) => String(i + 1)), 'last'])
  })
})
