/** `dead-letters` on topics as operators may find them: retention, other letters in between, compression and compaction. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import kafkajs, { type Message } from 'kafkajs'
import { beforeEach, describe, expect, inject, it, onTestFinished } from 'vitest'
import { API, KafkaProxy } from '../../dev/fault-injection/kafka-proxy.js'
import { createTopic, withAdmin } from '../../dev/kafka/topics.js'
import { until } from '../../dev/wait.js'
import { readConfiguration } from '../../src/commands/configuration.js'
import type { StoredDeadLetter } from '../../src/commands/dead-letter-reader.js'
import { openDeadLetters } from '../../src/commands/dead-letters.js'
import { systemClock } from '../../src/core/clock.js'
import type { DeadLetter } from '../../src/core/event.js'
import { JournalReader } from '../../src/journal/journal-reader.js'
import { LmdbJournal } from '../../src/journal/lmdb-journal.js'
import { EventTopics } from '../support/event-topics.js'
import { deadLetter } from '../support/events.js'

const { CompressionTypes } = kafkajs
const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }

interface ListedLetter {
  readonly eventId: string
  readonly bytes: number
  readonly parts: number
  readonly missingParts: readonly number[]
  readonly body?: string
  readonly outcome?: string
  readonly problem?: string
}

let topics: EventTopics

beforeEach(async () => {
  topics = await EventTopics.create(stack)
  onTestFinished(() => topics.remove())
})

/** Of a source that the configuration has, and whose provider reads it: one receipt. */
const FORM = 'webhook_event=dlr&data[msg_id]=77123&data[status]=DELIVERED&data[timestamp]=1700000000'

const letterOf = (eventId: string, body: string | Buffer, more: Partial<DeadLetter> = {}): DeadLetter =>
  deadLetter({
    ...{ eventId, source: 'seven-main', provider: 'seven', via: 'CALLBACK', reason: 'unknown-source' },
    request: {
      ...{ method: 'POST', path: '/callbacks/seven-main', query: '' },
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: Buffer.from(body),
    ...more,
  })

/** The records of a dead letter that is divided into so many parts, in one partition. */
function partsOf(letter: DeadLetter, parts: number): Message[] {
  const size = Math.ceil(letter.body.byteLength / parts)
  return Array.from({ length: parts }, (_, part) => ({
    ...topics.encode({ ...letter, body: letter.body.subarray(part * size, (part + 1) * size), part, parts }),
    partition: 0,
  }))
}

const run = async (...args: string[]) => {
  const { code, stdout, stderr } = await topics.run('dead-letters', ...args, '--json')
  const lines = stdout.split('\n').filter((line) => line !== '')
  return { code, stderr, letters: lines.map((line) => JSON.parse(line) as ListedLetter) }
}

const show = async (eventId: string) => {
  const { letters, ...result } = await run('show', eventId, '--personal-data', 'plain')
  return { ...result, letter: letters[0], body: Buffer.from(letters[0]?.body ?? '', 'base64') }
}

/** Creates what a replay needs: the topic of the marks, and a journal that no process holds. */
async function prepareReplay(): Promise<string> {
  await createTopic(stack.brokers, topics.replays, 1)
  const directory = join(topics.folder, 'journal')
  const duplicates = { rememberForMs: 3_600_000, maxIds: 1_000 }
  const journal = await LmdbJournal.open({ directory, maxBytes: 1e9, reserveBytes: 0, duplicates, clock: systemClock })
  await journal.close()
  return directory
}

const entriesOf = (directory: string) => {
  const reader = JournalReader.open(directory)
  const entries = [...reader.entries()]
  reader.close()
  return entries.map((each) => ('entry' in each ? each.entry : undefined))
}

const setTopicConfig = (name: string, entries: Readonly<Record<string, string>>): Promise<unknown> =>
  withAdmin(stack.brokers, (admin) =>
    admin.alterConfigs({
      validateOnly: false,
      // The type of a topic among the resources of Kafka.
      resources: [
        { type: 2, name, configEntries: Object.entries(entries).map(([key, value]) => ({ name: key, value })) },
      ],
    }),
  )

/** Deletes the records before an offset, as the retention does. */
const deleteRecordsBefore = (offset: number): Promise<unknown> =>
  withAdmin(stack.brokers, async (admin) => {
    const topic = topics.names['dead-letter']
    // It loads the metadata, without which kafkajs does not find the leader.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] })
  })

describe('dead-letters on a topic whose retention has deleted the first part of a letter', () => {
  it(
    'lists it with the missing part, shows what there is, and replays the others alone',
    { timeout: 120_000 },
    async () => {
      const directory = await prepareReplay()
      const cut = letterOf('cut', `${FORM}&padding=${'x'.repeat(3_000)}`)
      const whole = letterOf('whole', `${FORM}&padding=${'y'.repeat(3_000)}`)
      await topics.publish('dead-letter', [...partsOf(cut, 3), ...partsOf(whole, 2)])
      await deleteRecordsBefore(1)
      const { code, letters } = await run('list')
      expect(code).toBe(0)
      expect(letters.map(({ eventId, missingParts }) => [eventId, missingParts])).toEqual([
        ['whole', []],
        ['cut', [1]],
      ])
      const shown = await show('cut')
      expect(shown.code).toBe(2)
      expect(shown.stderr).toMatch(/1 of its 3 parts are not on the topic \(1\)/)
      expect(shown.body.toString()).toBe(
        Buffer.from(cut.body)
          .subarray(Math.ceil(cut.body.byteLength / 3))
          .toString(),
      )

      const replayed = await run('replay', '--all')
      expect(replayed.code).toBe(2)
      expect(replayed.letters).toMatchObject([
        { eventId: 'whole', outcome: 'handed-in' },
        { eventId: 'cut', outcome: 'refused', problem: expect.stringMatching(/retention/) as string },
      ])
      const entries = entriesOf(directory)
      expect(entries).toMatchObject([{ origin: { kind: 'dead-letter', eventId: 'whole' } }])
      expect(Buffer.compare(entries[0]!.body, Buffer.from(whole.body))).toBe(0)
    },
  )
})

describe('DeadLetterReader', () => {
  it('returns no body, rather than a part of it, where retention deletes a part after the letter was found', async () => {
    await topics.publish('dead-letter', partsOf(letterOf('vanishing', FORM), 3))
    const reader = await openDeadLetters(readConfiguration(join(topics.folder, 'connector.yaml')))
    try {
      const found = reader.find({ since: undefined, eventId: undefined, isMatch: () => true })
      const { value: letter } = (await found.next()) as { value: StoredDeadLetter }
      expect(letter).toMatchObject({ eventId: 'vanishing', missingParts: [] })
      expect(Buffer.from((await reader.readBody(letter))!).toString()).toBe(FORM)
      await deleteRecordsBefore(1)
      expect(await reader.readBody(letter)).toBeUndefined()
    } finally {
      await reader.close()
    }
  })
})

describe('dead-letters on a topic where the parts of several letters lie among each other', () => {
  it('joins each letter from its own parts, also one that was published again with another division', async () => {
    const bodies = Object.fromEntries(['a', 'b', 'c'].map((name) => [name, randomBytes(10_000)]))
    const [a1, a2, a3] = partsOf(letterOf('a', bodies['a']!), 3)
    const [b1, b2] = partsOf(letterOf('b', bodies['b']!, { source: 'another' }), 2)
    const [again1, again2] = partsOf(letterOf('b', bodies['b']!, { source: 'another' }), 4)
    const [c] = partsOf(letterOf('c', bodies['c']!), 1)
    // The first division of b was not finished when the connector was killed.
    await topics.publish('dead-letter', [a1!, again1!, again2!, a2!, c!, b1!, a3!, b2!])
    const { code, stderr, letters } = await run('list')
    expect({ code, stderr: stderr.replace(/^.* so nothing is known of replays\n/, '') }).toEqual({
      code: 0,
      stderr: '',
    })
    expect(letters.map(({ eventId, parts, missingParts, bytes }) => [eventId, parts, missingParts, bytes])).toEqual([
      ['c', 1, [], 10_000],
      ['a', 3, [], 10_000],
      ['b', 2, [], 10_000],
    ])
    for (const [eventId, expected] of Object.entries(bodies)) {
      const { code: shownCode, body } = await show(eventId)
      expect(shownCode).toBe(0)
      expect(Buffer.compare(body, expected), eventId).toBe(0)
    }
  })
})

describe('dead-letters on a topic that the broker compresses', () => {
  it.each(['gzip', 'snappy', 'lz4', 'zstd'])(
    'lists, shows and replays with compression.type %s',
    { timeout: 120_000 },
    async (type) => {
      await setTopicConfig(topics.names['dead-letter'], { 'compression.type': type })
      const directory = await prepareReplay()
      const letters = [
        letterOf('small', FORM),
        letterOf('joined', `${FORM}&random=${randomBytes(300_000).toString('hex')}`),
        // It is small when it is compressed, so that one batch holds more than a mebibyte of it.
        letterOf('compressible', `${FORM}&padding=${'x'.repeat(3_000_000)}`),
      ]
      await topics.publish('dead-letter', partsOf(letters[0]!, 1))
      await topics.publish('dead-letter', partsOf(letters[1]!, 2).slice(0, 1))
      await topics.publish('dead-letter', partsOf(letters[1]!, 2).slice(1))
      for (const part of partsOf(letters[2]!, 2))
        await topics.publish('dead-letter', [part], 'commit', CompressionTypes.GZIP)
      const listed = await run('list')
      expect(listed).toMatchObject({ code: 0, stderr: '' })
      expect(listed.letters.map(({ eventId, bytes }) => [eventId, bytes])).toEqual(
        letters.map(({ eventId, body }) => [eventId, body.byteLength]),
      )
      const { body } = await show('compressible')
      expect(body.equals(Buffer.from(letters[2]!.body))).toBe(true)
      expect((await run('replay', '--all')).code).toBe(0)
      expect(entriesOf(directory).map((entry) => entry?.body.byteLength)).toEqual(
        letters.map(({ body: expected }) => expected.byteLength),
      )
    },
  )
})

describe('dead-letters on a topic that is compacted against the advice', () => {
  it('lists what is left with the parts that are missing, and ends', { timeout: 180_000 }, async () => {
    const topic = topics.names['dead-letter']
    const directory = await prepareReplay()
    await setTopicConfig(topic, {
      'cleanup.policy': 'compact,delete',
      'segment.ms': '100',
      'min.cleanable.dirty.ratio': '0.001',
      'max.compaction.lag.ms': '1000',
    })
    // The key is the source, so compaction keeps the last record of each.
    for (let letter = 0; letter < 5; letter++)
      await topics.publish('dead-letter', partsOf(letterOf(`${letter}`, FORM), 1))
    await topics.publish('dead-letter', partsOf(letterOf('joined', `${FORM}&padding=xyz`), 3))
    await topics.publish('dead-letter', partsOf(letterOf('other', FORM, { source: 'another' }), 1))
    await until(async () => {
      // A segment is only compacted once it is closed, which the next record does.
      await topics.publish('dead-letter', partsOf(letterOf('last', FORM, { source: 'filler' }), 1))
      return (await topics.tail('dead-letter', '--from-beginning', '--source', 'seven-main')).length === 1
    }, 120_000)
    const { code, letters } = await run('list')
    expect(code).toBe(0)
    const left = letters.filter(({ eventId }) => eventId !== 'last')
    expect(left.map(({ eventId, missingParts }) => [eventId, missingParts])).toEqual([
      ['other', []],
      ['joined', [1, 2]],
    ])
    expect(await run('replay', '--event-id', 'joined')).toMatchObject({ code: 2, letters: [{ outcome: 'refused' }] })
    expect(entriesOf(directory)).toEqual([])
  })
})

describe('dead-letters where Kafka goes away half way', () => {
  it(
    'ends with 3, keeps what it has handed in whole, and hands in the rest when it is repeated',
    { timeout: 180_000 },
    async () => {
      const directory = await prepareReplay()
      const names = ['first', 'second', 'third']
      const bodyOf = (name: string): string => `${FORM}&name=${name}&padding=${'x'.repeat(600_000)}`
      for (const name of names) await topics.publish('dead-letter', partsOf(letterOf(name, bodyOf(name)), 2))
      const proxy = await KafkaProxy.startInFrontOf(stack.brokers[0]!)
      onTestFinished(() => proxy.close())
      await topics.configure({ brokers: [proxy.address], requestTimeout: '1s' })
      /** The search and the two parts of the first letter are read by so many requests. */
      let fetches = 3
      proxy.setRule((api) => {
        if (api !== API.fetch) return 'pass'
        fetches--
        return fetches < 0 ? 'cut' : 'pass'
      })
      const interrupted = await run('replay', '--all')
      expect(interrupted.code).toBe(3)
      expect(interrupted.stderr).toContain(proxy.address)
      const handedIn = entriesOf(directory)
      expect(handedIn.length).toBeLessThan(names.length)
      expect(handedIn.map((entry) => entry?.body.byteLength)).toEqual(
        names.slice(0, handedIn.length).map((name) => bodyOf(name).length),
      )
      fetches = 1
      expect((await run('list')).code).toBe(3)

      proxy.setRule(() => 'pass')
      expect((await run('list')).letters.map(({ eventId }) => eventId)).toEqual(names)
      expect((await run('replay', '--all')).code).toBe(0)
      const origins = entriesOf(directory).map((entry) => entry?.origin)
      expect(origins.slice(handedIn.length)).toMatchObject(names.map((eventId) => ({ eventId })))
    },
  )
})
