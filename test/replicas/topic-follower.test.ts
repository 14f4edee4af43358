/** What a follower makes of what all replicas publish; the topics are a list that a test grows. */
import type { Batch, KafkaMessage } from 'kafkajs'
import { beforeEach, describe, expect, it } from 'vitest'
import { cloudEventsHeaders } from '../../src/encode/cloudevents-headers.js'
import { TopicFollower } from '../../src/replicas/topic-follower.js'
import { RecordingLog } from '../support/recording-observers.js'
import { receipt } from '../support/events.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryJournal } from '../support/memory-journal.js'

const DAY = 86_400_000
const SOURCE = 'seven-main'

let clock: ManualClock
let journal: MemoryJournal
let follower: TopicFollower
let opened: { since: number; take: (batch: Batch) => Promise<void>; lose: (error: Error) => void }[]
let refuses: Error | undefined
let states: string[]
let doubled: string[]

beforeEach(() => {
  clock = new ManualClock()
  journal = new MemoryJournal(clock)
  opened = []
  refuses = undefined
  states = []
  doubled = []
  follower = new TopicFollower({
    open: (since, take) => {
      if (refuses) return Promise.reject(refuses)
      let lose: (error: Error) => void = () => undefined
      const lost = new Promise<never>((_, reject) => (lose = reject))
      lost.catch(() => undefined)
      opened.push({ since, take, lose })
      return Promise.resolve({
        reach: () => Promise.resolve(),
        close: () => Promise.resolve(),
        during: (promise) => Promise.race([lost, promise]),
      })
    },
    remember: (published, watch) => journal.recordPublished(published, watch),
    progress: journal.topicProgress,
    lookBackOf: () => 3 * DAY,
    isFinal: (value) => Promise.resolve(String(value) === 'final'),
    explain: String,
    clock,
    log: new RecordingLog(),
    observer: { publishedTwice: (source) => doubled.push(source), followingChanged: (state) => states.push(state) },
  })
  follower.start()
})

const turns = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await new Promise(setImmediate)
}

const record = (eventId: string, messageId: string, value: string, offset = 0, source = SOURCE): KafkaMessage => ({
  key: Buffer.from(messageId),
  value: Buffer.from(value),
  headers: cloudEventsHeaders(receipt({ eventId, source, receivedAt: clock.now() }), eventId),
  timestamp: String(clock.now()),
  attributes: 0,
  offset: String(offset),
})

const batch = (...messages: KafkaMessage[]): Batch => ({ topic: 'dlr', partition: 0, messages }) as unknown as Batch
const id = (n: number): string => n.toString(16).padStart(32, '0')

describe('a follower', () => {
  it('reads nothing while it follows no source', async () => {
    await turns()
    expect(opened).toEqual([])
    expect(await follower.followedFor()).toBeUndefined()
  })

  it('remembers what was published of its sources, and no other, from their window on', async () => {
    follower.follow([SOURCE])
    await turns()
    expect(opened[0]!.since).toBeLessThanOrEqual(clock.now() - 3 * DAY)
    await opened[0]!.take(batch(record(id(1), 'm', 'final'), record(id(2), 'n', 'final', 1, 'another')))
    expect(journal.findFirstSeen(id(1))).toBeDefined()
    expect(journal.findFirstSeen(id(2))).toBeUndefined()
  })

  it('opens messages whose receipts are not final, and closes them by those that are', async () => {
    follower.follow([SOURCE])
    await turns()
    await opened[0]!.take(batch(record(id(1), 'm', 'not yet'), record(id(2), 'n', 'not yet', 1)))
    await opened[0]!.take(batch(record(id(3), 'm', 'final', 2)))
    expect([...journal.watchList.list(SOURCE)].map(({ messageId }) => messageId)).toEqual(['n'])
  })

  it('says for how long it has followed without a break, and begins anew after one', async () => {
    follower.follow([SOURCE])
    await turns()
    await clock.advance(20_000)
    expect(await follower.followedFor()).toBe(20_000)
    opened[0]!.lose(new Error('gone'))
    await turns()
    expect(await follower.followedFor()).toBeUndefined()
    await clock.advance(1_000)
    await turns()
    expect(await follower.followedFor()).toBe(0)
    expect(states).toEqual(['idle', 'reading', 'following', 'waiting', 'reading', 'following'])
  })

  it('goes on from where it was, for a source that comes back', async () => {
    follower.follow([SOURCE])
    await turns()
    const followed = clock.now()
    follower.follow([])
    await clock.advance(DAY)
    follower.follow([SOURCE])
    await turns()
    expect(opened[1]!.since).toBeGreaterThan(followed - 3_600_000)
    expect(opened[1]!.since).toBeLessThan(followed)
  })

  it('tries again for as long as the topics can not be read', async () => {
    refuses = new Error('no right')
    follower.follow([SOURCE])
    await turns()
    await clock.advance(60_000)
    expect(opened).toEqual([])
    refuses = undefined
    await clock.advance(30_000)
    await turns()
    expect(opened).toHaveLength(1)
  })

  it('counts what is on the topics twice, and not what it reads twice', async () => {
    follower.follow([SOURCE])
    await turns()
    await opened[0]!.take(batch(record(id(1), 'm', 'final', 0), record(id(2), 'n', 'final', 1)))
    await opened[0]!.take(batch(record(id(1), 'm', 'final', 0)))
    expect(doubled).toEqual([])
    await opened[0]!.take(batch(record(id(1), 'm', 'final', 2)))
    expect(doubled).toEqual([SOURCE])
  })

  it('stops', async () => {
    follower.follow([SOURCE])
    await turns()
    await follower.stop()
    expect(await follower.followedFor()).toBeUndefined()
  })
})
