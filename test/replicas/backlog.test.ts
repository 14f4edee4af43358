import type { Batch } from 'kafkajs'
import { beforeEach, describe, expect, it } from 'vitest'
import { cloudEventsHeaders } from '../../src/encode/cloudevents-headers.js'
import { Backlog } from '../../src/replicas/backlog.js'
import { receipt } from '../support/events.js'
import { RecordingLog } from '../support/recording-observers.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryJournal } from '../support/memory-journal.js'

const OLD = 10_000
const never = new AbortController().signal

let clock: ManualClock
let journal: MemoryJournal
let backlog: Backlog
let opened: number[]
let reached: number
let closed: number
let refuses: Error | undefined
const eventId = '0123456789abcdef0123456789abcdef'

beforeEach(() => {
  clock = new ManualClock()
  journal = new MemoryJournal(clock)
  opened = []
  reached = closed = 0
  refuses = undefined
  backlog = new Backlog({
    sources: new Set(['seven-main']),
    old: OLD,
    open: async (since, take) => {
      if (refuses) throw refuses
      opened.push(since)
      const headers = cloudEventsHeaders(receipt({ eventId, source: 'seven-main' }), eventId)
      const message = { key: Buffer.from('m'), value: Buffer.alloc(0), headers, offset: '0' }
      await take({ topic: 'dlr', partition: 0, messages: [message] } as unknown as Batch)
      return {
        reach: async () => void reached++,
        close: async () => void closed++,
      }
    },
    remember: (published) => journal.recordPublished(published, []),
    isRefusal: (error) => String(error).includes('refused'),
    explain: String,
    clock,
    log: new RecordingLog(),
  })
})

const entry = (age: number, source = 'seven-main') => ({ source, receivedAt: clock.now() - age })

describe('entries that come and go', () => {
  it('cost nothing', async () => {
    await backlog.check([entry(0), entry(OLD - 1), entry(3_600_000, 'mtarget-fr')], never)
    expect(opened).toEqual([])
  })
})

describe('entries that waited', () => {
  it('are compared with what was published since they came', async () => {
    await backlog.check([entry(60_000), entry(30_000)], never)
    expect(opened).toHaveLength(1)
    expect(opened[0]).toBeLessThan(clock.now() - 60_000)
    expect(reached).toBe(1)
    expect(journal.findFirstSeen(eventId)).toBeDefined()
  })

  it('are compared by one reader, batch after batch, and again when a moment has passed', async () => {
    await backlog.check([entry(60_000)], never)
    await backlog.check([entry(50_000)], never)
    expect([opened.length, reached]).toEqual([1, 1])
    await clock.advance(3_000)
    await backlog.check([entry(50_000)], never)
    expect([opened.length, reached]).toEqual([1, 2])
    await clock.advance(30_000)
    expect(closed).toBe(1)
  })

  it('wait while the topics can not be read, and not where reading is refused', async () => {
    refuses = new Error('no broker')
    await expect(backlog.check([entry(60_000)], never)).rejects.toThrow('no broker')
    refuses = new Error('refused')
    await backlog.check([entry(60_000)], never)
    refuses = undefined
    await backlog.check([entry(60_000)], never)
    expect(opened).toEqual([])
    await clock.advance(300_000)
    await backlog.check([entry(60_000)], never)
    expect(opened).toHaveLength(1)
  })
})
