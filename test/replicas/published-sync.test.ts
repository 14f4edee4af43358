import type { Batch } from 'kafkajs'
import { beforeEach, describe, expect, it } from 'vitest'
import { CloudEventsHeaders } from '../../src/encode/cloudevents-headers.js'
import { PublishedSync } from '../../src/replicas/published-sync.js'
import { receipt } from '../support/events.js'
import { RecordingLog } from '../support/recording-observers.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryJournal } from '../support/memory-journal.js'

const OLD_MS = 10_000
const never = new AbortController().signal

let clock: ManualClock
let journal: MemoryJournal
let publishedSync: PublishedSync
let opened: number[]
let reached: number
let closed: number
let refuses: Error | undefined
const eventId = '0123456789abcdef0123456789abcdef'

beforeEach(() => {
  clock = new ManualClock()
  journal = new MemoryJournal(clock)
  opened = []
  reached = 0
  closed = 0
  refuses = undefined
  publishedSync = new PublishedSync({
    sources: new Set(['seven-main']),
    oldAfterMs: OLD_MS,
    openReader: async ({ since }, onBatch) => {
      if (refuses) throw refuses
      opened.push(since)
      const headers = new CloudEventsHeaders().of(receipt({ eventId, source: 'seven-main' }), eventId)
      const message = { key: Buffer.from('m'), value: Buffer.alloc(0), headers, offset: '0' }
      await onBatch({ topic: 'dlr', partition: 0, messages: [message] } as unknown as Batch)
      return {
        readToEnd: async () => {
          reached++
        },
        close: async () => {
          closed++
        },
      }
    },
    journal,
    clock,
    log: new RecordingLog(),
  })
})

const entry = (age: number, source = 'seven-main') => ({ source, receivedAt: clock.now() - age })

describe('PublishedSync, for entries that are published promptly,', () => {
  it('reads nothing', async () => {
    await publishedSync.syncPublished([entry(0), entry(OLD_MS - 1), entry(3_600_000, 'mtarget-fr')], never)
    expect(opened).toEqual([])
  })
})

describe('PublishedSync, for old entries,', () => {
  it('reads what was published since they arrived', async () => {
    await publishedSync.syncPublished([entry(60_000), entry(30_000)], never)
    expect(opened).toHaveLength(1)
    expect(opened[0]).toBeLessThan(clock.now() - 60_000)
    expect(reached).toBe(1)
    expect(journal.findFirstSeen(eventId)).toBeDefined()
  })

  it('uses one reader for several batches, and reads again after three seconds', async () => {
    await publishedSync.syncPublished([entry(60_000)], never)
    await publishedSync.syncPublished([entry(50_000)], never)
    expect([opened.length, reached]).toEqual([1, 1])
    await clock.advance(3_000)
    await publishedSync.syncPublished([entry(50_000)], never)
    expect([opened.length, reached]).toEqual([1, 2])
    await clock.advance(30_000)
    expect(closed).toBe(1)
  })

  it('throws while the topics cannot be read, and resolves if the broker refuses reading', async () => {
    refuses = new Error('no broker')
    await expect(publishedSync.syncPublished([entry(60_000)], never)).rejects.toThrow('no broker')
    refuses = Object.assign(new Error('refused'), { type: 'TOPIC_AUTHORIZATION_FAILED' })
    await publishedSync.syncPublished([entry(60_000)], never)
    refuses = undefined
    await publishedSync.syncPublished([entry(60_000)], never)
    expect(opened).toEqual([])
    await clock.advance(300_000)
    await publishedSync.syncPublished([entry(60_000)], never)
    expect(opened).toHaveLength(1)
  })
})
