/** The topic follower with topics that a test fills. */
import type { Batch, KafkaMessage } from 'kafkajs'
import { beforeEach, describe, expect, it } from 'vitest'
import { CloudEventsHeaders } from '../../src/encode/cloudevents-headers.js'
import type { TopicProgress } from '../../src/journal/journal.js'
import { TopicFollower } from '../../src/replicas/topic-follower.js'
import type { ReadingStart } from '../../src/replicas/topic-reader.js'
import { RecordingLog } from '../support/recording-observers.js'
import { turnUntil, turnUntilIdle } from '../support/event-loop.js'
import { receipt } from '../support/events.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryJournal } from '../support/memory-journal.js'

const DAY = 86_400_000
const SOURCE = 'seven-main'

let clock: ManualClock
let journal: MemoryJournal
let follower: TopicFollower
let opened: { start: ReadingStart; deliver: (batch: Batch) => Promise<void>; lose: (error: Error) => void }[]
let refuses: Error | undefined
let readToEnd: () => Promise<void>
let progress: TopicProgress
let states: string[]
let publishedTwice: string[]

beforeEach(() => {
  clock = new ManualClock()
  journal = new MemoryJournal(clock)
  opened = []
  refuses = undefined
  readToEnd = () => Promise.resolve()
  progress = progressTo(1)
  states = []
  publishedTwice = []
  follower = new TopicFollower({
    openReader: (start, onBatch) => {
      if (refuses) return Promise.reject(refuses)
      let lose: (error: Error) => void = () => undefined
      const lost = new Promise<never>((_, reject) => {
        lose = reject
      })
      lost.catch(() => undefined)
      opened.push({ start, deliver: onBatch, lose })
      return Promise.resolve({
        readToEnd: () => readToEnd(),
        progress: () => progress,
        close: () => Promise.resolve(),
        whileOpen: (promise) => Promise.race([lost, promise]),
      })
    },
    journal,
    lookBackOf: () => 3 * DAY,
    isFinal: (value) => Promise.resolve(String(value) === 'final'),
    clock,
    log: new RecordingLog(),
    observer: {
      publishedTwice: (source) => publishedTwice.push(source),
      followingChanged: ({ state }) => states.push(state),
    },
  })
  follower.start()
})

/** Resolves when the follower has reported the state as its last one. */
const untilState = (state: string): Promise<void> => turnUntil(() => states.at(-1) === state)

const record = (eventId: string, messageId: string, value: string, offset = 0, source = SOURCE): KafkaMessage => ({
  key: Buffer.from(messageId),
  value: Buffer.from(value),
  headers: new CloudEventsHeaders().of(receipt({ eventId, source, receivedAt: clock.now() }), eventId),
  timestamp: String(clock.now()),
  attributes: 0,
  offset: String(offset),
})

const batch = (...messages: KafkaMessage[]): Batch => ({ topic: 'dlr', partition: 0, messages }) as unknown as Batch
const progressTo = (offset: number): TopicProgress => ({ dlr: { topicId: 'an-id', offsets: [offset] } })
const id = (n: number): string => n.toString(16).padStart(32, '0')

describe('The topic follower', () => {
  it('reads nothing while it follows no source', async () => {
    await turnUntilIdle()
    expect(opened).toEqual([])
    expect(await follower.followedFor()).toBeUndefined()
  })

  it('records what was published of its sources, and of no other, from the start of their window', async () => {
    follower.follow([SOURCE])
    await untilState('following')
    expect(opened[0]!.start.since).toBeLessThanOrEqual(clock.now() - 3 * DAY)
    await opened[0]!.deliver(batch(record(id(1), 'm', 'final'), record(id(2), 'n', 'final', 1, 'another')))
    expect(journal.findFirstSeen(id(1))).toBeDefined()
    expect(journal.findFirstSeen(id(2))).toBeUndefined()
  })

  it('watches messages without a final receipt, and stops watching those with one', async () => {
    follower.follow([SOURCE])
    await untilState('following')
    await opened[0]!.deliver(batch(record(id(1), 'm', 'not yet'), record(id(2), 'n', 'not yet', 1)))
    await opened[0]!.deliver(batch(record(id(3), 'm', 'final', 2)))
    expect([...journal.watchList.list(SOURCE)].map(({ messageId }) => messageId)).toEqual(['n'])
  })

  it('returns how long it has followed without a break, and starts at 0 again after one', async () => {
    follower.follow([SOURCE])
    await untilState('following')
    await clock.advance(20_000)
    expect(await follower.followedFor()).toBe(20_000)
    opened[0]!.lose(new Error('gone'))
    await untilState('waiting')
    expect(await follower.followedFor()).toBeUndefined()
    await clock.advance(1_000)
    await untilState('following')
    expect(await follower.followedFor()).toBe(0)
    expect(states).toEqual(['idle', 'reading', 'following', 'waiting', 'reading', 'following'])
  })

  it('continues at the offsets where it stopped for a source that is assigned again', async () => {
    progress = progressTo(42)
    follower.follow([SOURCE])
    await untilState('following')
    expect(opened[0]!.start.readBefore).toEqual([{}])
    follower.follow([])
    await clock.advance(DAY)
    follower.follow([SOURCE])
    await untilState('following')
    expect(opened[1]!.start.readBefore).toEqual([progressTo(42)])
  })

  it('never leaves out by a time what was published since it stopped, however long ago it was received', async () => {
    follower.follow([SOURCE])
    await untilState('following')
    follower.follow([])
    await clock.advance(DAY)
    follower.follow([SOURCE])
    await untilState('following')
    expect(opened[1]!.start.since).toBeLessThanOrEqual(clock.now() - 3 * DAY)
  })

  it('reads an added source from the start of its window, beside one that continues', async () => {
    follower.follow([SOURCE])
    await untilState('following')
    follower.follow([SOURCE, 'added'])
    await turnUntil(() => opened.length === 2)
    expect(opened[1]!.start.readBefore).toEqual([progressTo(1), {}])
  })

  it('goes on a day before the time up to which an earlier build has read the topics', async () => {
    journal.followedByEarlierBuild.set(SOURCE, clock.now())
    follower.follow([SOURCE])
    await untilState('following')
    expect(opened[0]!.start.since).toBeLessThanOrEqual(clock.now() - DAY)
    expect(opened[0]!.start.since).toBeGreaterThan(clock.now() - 2 * DAY)
  })

  it.each([
    { what: 'was added', first: [SOURCE], changes: [[SOURCE, 'added']] },
    { what: 'was removed and added again', first: [SOURCE, 'added'], changes: [[SOURCE], [SOURCE, 'added']] },
  ])('does not count a source as read if it $what during a read', async ({ first, changes }) => {
    follower.follow(first)
    await untilState('following')
    let finishRead: () => void = () => undefined
    readToEnd = () =>
      new Promise((resolve) => {
        finishRead = resolve
      })
    progress = progressTo(99)
    await clock.advance(30_000)
    for (const sources of changes) follower.follow(sources)
    readToEnd = () => Promise.resolve()
    finishRead()
    await turnUntil(() => opened.length === 2)
    expect(opened[1]!.start.readBefore).not.toContainEqual(progressTo(99))
    expect(opened[1]!.start.since).toBeLessThanOrEqual(clock.now() - 3 * DAY)
  })

  it('retries while the topics cannot be read', async () => {
    refuses = new Error('no right')
    follower.follow([SOURCE])
    await untilState('waiting')
    await clock.advance(60_000)
    expect(opened).toEqual([])
    refuses = undefined
    await clock.advance(30_000)
    await untilState('following')
    expect(opened).toHaveLength(1)
  })

  it('reports events that are on the topics twice, but not records that it reads twice', async () => {
    follower.follow([SOURCE])
    await untilState('following')
    await opened[0]!.deliver(batch(record(id(1), 'm', 'final', 0), record(id(2), 'n', 'final', 1)))
    await opened[0]!.deliver(batch(record(id(1), 'm', 'final', 0)))
    expect(publishedTwice).toEqual([])
    await opened[0]!.deliver(batch(record(id(1), 'm', 'final', 2)))
    expect(publishedTwice).toEqual([SOURCE])
  })

  it('returns no duration of following after it was stopped', async () => {
    follower.follow([SOURCE])
    await untilState('following')
    await follower.stop()
    expect(await follower.followedFor()).toBeUndefined()
  })
})
