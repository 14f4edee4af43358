/** The order of the steps of the flow, and what remains when the flow is interrupted at any of them. */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ConnectorError } from '../../src/core/errors.js'
import type { Item, Provider } from '../../src/providers/provider.js'
import { Pipeline } from '../../src/pipeline/pipeline.js'
import { turnUntil, turnUntilIdle } from '../support/event-loop.js'
import {
  deadLetter,
  deadLetterOf,
  dlr,
  type Fault,
  type FaultPlan,
  itemOf,
  type ItemSpec,
  mo,
  PipelineProcess,
  TestEncoder,
  TestObserver,
  TestPublisher,
  UNENCODABLE,
  TestEnvironment,
} from '../support/pipeline-process.js'

vi.setConfig({ testTimeout: 60_000 })

const MIB = 1024 * 1024
let environment: TestEnvironment

beforeEach(() => {
  environment = new TestEnvironment()
})
afterEach(() => expect(environment.violations).toEqual([]))

const inDoubt = new ConnectorError('PUBLISH_IN_DOUBT', 'no answer')

/** A plan with one fault: at the nth call of a method. */
const faultAt = (method: string, nth: number, fault: Fault): FaultPlan => {
  let calls = 0
  return (_call, port, name) => {
    if (`${port}.${name}` !== method) return undefined
    calls++
    return calls === nth ? fault : undefined
  }
}

const start = (faultPlan?: FaultPlan): PipelineProcess => new PipelineProcess(environment, faultPlan && { faultPlan })

/** A promise, and the function that resolves it. */
const gate = (): { opened: Promise<void>; open: () => void } => {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

/** The records of each transaction. */
const commitsOf = ({ observer }: PipelineProcess): number[] =>
  observer.reports.flatMap((report) => {
    const [, count] = /^committed (\d+)$/.exec(report) ?? []
    return count === undefined ? [] : [Number(count)]
  })

/** The bytes of a record, as the pipeline counts them. */
const RECORD_BYTES = 302
/** Limits that make nearly every entry too large for a batch. */
const SMALL_LIMITS = { entries: 2, bodyBytes: 4 * MIB, items: 2, recordBytes: 2 * RECORD_BYTES }

describe('Pipeline', () => {
  it('asks whether schemas are ready, opens a producer, recovers, prepares, asks again, publishes, and only then releases', async () => {
    await environment.append([mo()])
    const running = await environment.drain()
    expect(running.calls.slice(0, 8)).toEqual([
      'encoder.ready',
      'publisher.open',
      'journal.recover',
      'encoder.encode',
      'encoder.ready',
      'publisher.publish',
      'journal.release',
      'journal.waitForEntry',
    ])
    expect(running.observer.reports).toEqual(['committed 1', 'healthy', 'released'])
    expect(running.publisher.closeCount).toBe(1)
  })

  it('prepares a batch anew, once, if replicas share the sources and the batch waited for a long commit', async () => {
    for (const id of ['a', 'b']) await environment.append([mo(id)], 4 * MIB)
    /** The first entry of each batch that was prepared. */
    const synced: number[] = []
    const takeLong = async (encoded: number): Promise<void> => {
      await turnUntil(() => running.encoder.encoded.length >= encoded)
      await environment.clock.advance(11_000)
    }
    const slow: FaultPlan = (_call, _port, method) => {
      if (method === 'publish' && synced.length === 1) return { when: 'before', what: takeLong(2) }
      return undefined
    }
    const running: PipelineProcess = new PipelineProcess(environment, {
      faultPlan: slow,
      syncPublished: async ([entry]) => {
        synced.push(entry!.seq)
      },
    })
    await environment.drain(running)
    expect(synced).toEqual([1, 2, 2])
    expect(running.publisher.openCount).toBe(1)
    expect(running.observer.reports).toEqual(['committed 1', 'healthy', 'released', 'committed 1', 'released'])
    expect(environment.broker.ids).toHaveLength(2)
  })

  it('publishes in order of arrival and commits the position of the last entry', async () => {
    for (let i = 0; i < 20; i++) await environment.append([mo(`${i}a`), mo(`${i}b`)])
    const last = environment.journal.entries.at(-1)!.seq
    const running = await environment.drain()
    expect(environment.broker.ids).toEqual(running.encoder.encoded)
    expect(environment.broker.ids).toHaveLength(40)
    expect(environment.broker.positions.get(environment.journal.id)).toBe(last)
    expect(environment.journal.releasedUpTo).toBe(last)
  })

  it('prepares one batch while another is being committed', async () => {
    for (let i = 0; i < 6; i++) await environment.append([mo(String(i))], 1.5 * MIB)
    const { opened, open } = gate()
    const running = start(faultAt('publisher.publish', 1, { when: 'before', what: opened }))
    await environment.until(() => running.encoder.encoded.length === 4)
    await turnUntilIdle()
    expect(running.encoder.encoded).toHaveLength(4)
    expect(environment.broker.records).toEqual([])
    expect(environment.journal.entries).toHaveLength(6)
    open()
    await environment.drain(running)
    expect(environment.broker.ids).toHaveLength(6)
  })

  it('publishes an entry with more items than a batch takes in several transactions, and releases it after the last', async () => {
    await environment.append([mo('before')])
    const large = await environment.append(Array.from({ length: 50_000 }, (_, i) => dlr(`m${i}`)))
    await environment.append([mo('after')])
    const running = start()
    await environment.until(() => running.count('journal.release') === 2)
    expect(environment.journal.entries.map(({ seq }) => seq)).toContain(large)
    await environment.drain(running)
    expect(environment.broker.records).toHaveLength(50_002)
    expect(new Set(environment.broker.ids).size).toBe(50_002)
    expect(running.observer.outcomes).toHaveLength(50_002)
    expect(Math.max(...commitsOf(running))).toBe(20_000)
    expect(environment.broker.metadata.get(environment.journal.id)).toBe('')
  })

  it('goes on inside an entry without decoding or encoding its first items again', async () => {
    await environment.append(Array.from({ length: 60_000 }, (_, i) => dlr(`m${i}`)))
    const running = await environment.drain()
    expect(commitsOf(running)).toEqual([20_000, 20_000, 20_000])
    expect(running.encoder.encoded).toHaveLength(60_000)
  })

  it('commits the parts of a dead letter in order, in several transactions if one is too small for them', async () => {
    await environment.append([mo(), deadLetterOf(7), mo()])
    const limits = { ...SMALL_LIMITS, recordBytes: 3 * RECORD_BYTES }
    const running = await environment.drain(new PipelineProcess(environment, { limits }))
    expect(commitsOf(running)).toEqual([3, 3, 3])
    const [letter] = environment.broker.ids.filter((id) => id.endsWith('/1')).map((id) => id.slice(0, -2))
    expect(environment.broker.ids.slice(1, 8)).toEqual([
      letter,
      ...[1, 2, 3, 4, 5, 6].map((part) => `${letter}/${part}`),
    ])
    expect(running.observer.outcomes.map(({ kind }) => kind)).toEqual(['mo', 'dead-letter', 'mo'])
  })

  it.each([
    ['goes on behind the committed parts of a dead letter after a crash', 1, [3, 4, 5, 6]],
    ['publishes all parts again if the dead letter is split at other places today', 2, [0, 1, 2, 3, 4, 5, 6]],
  ])('%s', async (_what, partBytes, expected) => {
    await environment.append([deadLetterOf(7), mo()])
    const limits = { ...SMALL_LIMITS, recordBytes: 3 * RECORD_BYTES }
    const faultPlan = faultAt('publisher.publish', 1, { when: 'after', what: 'crash' })
    const crashed = new PipelineProcess(environment, { faultPlan, limits })
    await environment.until(() => crashed.hasCrashed)
    expect(environment.broker.ids).toHaveLength(3)
    const next = new PipelineProcess(environment, { limits })
    next.encoder.partBytes = partBytes
    await environment.drain(next)
    const [letter] = environment.broker.ids
    const ids = expected.map((part) => (part === 0 ? letter : `${letter}/${part}`))
    expect(environment.broker.ids.slice(3, -1)).toEqual(ids)
    expect(environment.broker.records.at(-1)?.topic).toBe('mo')
  })

  it('halves its batches while a transaction takes too long, as under a quota of the broker', async () => {
    await environment.append(Array.from({ length: 70_000 }, (_, i) => dlr(`m${i}`)))
    const slow = (): Promise<void> => environment.clock.advance(11_000)
    const running = start((_call, _port, method) =>
      method === 'publish' ? { when: 'before', what: slow() } : undefined,
    )
    await environment.drain(running)
    expect(commitsOf(running).slice(0, 4)).toEqual([20_000, 20_000, 10_000, 5_000])
    expect(environment.broker.records).toHaveLength(70_000)
  })

  it('begins with a small batch and doubles it, because the quota of the broker is not known yet', async () => {
    await environment.append(Array.from({ length: 60_000 }, (_, i) => dlr(`m${i}`)))
    const running = new PipelineProcess(environment, { firstBatchShare: null })
    await environment.drain(running)
    expect(commitsOf(running)).toEqual([1_250, 1_250, 2_500, 5_000, 10_000, 20_000, 20_000])
  })

  it('publishes an entry again, and reports it, if it no longer decodes to the items that were committed', async () => {
    await environment.append([dlr('a'), dlr('b'), dlr('c'), dlr('d')])
    const faultPlan = faultAt('publisher.publish', 1, { when: 'after', what: 'crash' })
    const crashed = new PipelineProcess(environment, { faultPlan, limits: SMALL_LIMITS })
    await environment.until(() => crashed.hasCrashed)
    expect(environment.broker.ids).toHaveLength(2)
    const { id } = environment.journal
    const metadata = environment.broker.metadata.get(id)!
    expect(metadata).toMatch(/^dlr-mo-connector:1 items=2 parts=0\/0 digest=[0-9a-f]{32}$/)
    environment.broker.metadata.set(id, metadata.replace(/digest=.{8}/, 'digest=00000000'))
    const next = await environment.drain(new PipelineProcess(environment, { limits: SMALL_LIMITS }))
    expect(next.observer.reports).toContain('an entry of plain is published again')
    expect(environment.broker.ids).toHaveLength(6)
    expect(new Set(environment.broker.ids).size).toBe(4)
  })

  it('makes progress inside an entry although transactions fail, if the broker keeps no position', async () => {
    await environment.append(Array.from({ length: 40 }, (_, i) => dlr(`m${i}`)))
    const limits = { ...SMALL_LIMITS, items: 4 }
    let publishes = 0
    const faultPlan: FaultPlan = (_call, _port, method) => {
      if (method !== 'publish') return undefined
      publishes++
      return publishes % 2 === 0 ? { when: 'before', what: inDoubt } : undefined
    }
    await environment.drain(new PipelineProcess(environment, { faultPlan, keepsPosition: false, limits }))
    expect(environment.broker.ids).toHaveLength(40)
  })

  it('puts everything that arrives during a small transaction into the next one', async () => {
    await environment.append([mo('first')])
    const { opened, open } = gate()
    const running = start(faultAt('publisher.publish', 1, { when: 'before', what: opened }))
    await environment.until(() => running.calls.includes('publisher.publish'))
    for (let i = 0; i < 5; i++) {
      await environment.append([mo(String(i))])
      await turnUntilIdle()
    }
    open()
    await environment.drain(running)
    expect(commitsOf(running)).toEqual([1, 5])
  })

  it('waits a little for more after a transaction with several items, and not after a lone one', async () => {
    const running = start()
    await environment.until(() => running.calls.includes('journal.waitForEntry'))
    await environment.append([mo('lone')])
    await turnUntil(() => running.count('journal.release') === 1)
    expect(environment.clock.sleeps).toEqual([])
    await environment.append([mo('1'), mo('2'), mo('3'), mo('4')])
    await turnUntil(() => running.count('journal.release') === 2)
    await turnUntil(() => environment.clock.sleeps.length > 0)
    expect(environment.clock.sleeps).toEqual([10])
    await environment.append([mo('5')])
    await environment.append([mo('6')])
    await environment.drain(running)
    expect(commitsOf(running)).toEqual([1, 4, 2])
  })

  it.each([
    [40, 10],
    [100, 25],
    [400, 50],
  ])('waits longer after a transaction with more items: after %i items %i ms', async (count, gatherMs) => {
    const running = start()
    await environment.append(Array.from({ length: count }, (_, index) => mo(String(index))))
    await turnUntil(() => running.count('journal.release') === 1)
    await turnUntil(() => environment.clock.sleeps.length > 0)
    expect(environment.clock.sleeps).toEqual([gatherMs])
    await environment.append([mo('one more')])
    await environment.drain(running)
    expect(commitsOf(running)).toEqual([count, 1])
  })

  it('commits a position for entries that give no record', async () => {
    await environment.append([])
    await environment.append([])
    await environment.drain()
    expect(environment.broker.records).toEqual([])
    expect(environment.broker.positions.get(environment.journal.id)).toBe(environment.journal.releasedUpTo)
    expect(environment.journal.releasedUpTo).toBeGreaterThan(0)
  })

  it('publishes a dead letter for an entry whose source is no longer configured', async () => {
    await environment.append([mo()], 0, 'gone')
    const { observer } = await environment.drain()
    expect(observer.outcomes).toMatchObject([
      { kind: 'dead-letter', deadLetter: { reason: 'unknown-source' }, source: 'gone' },
    ])
    expect(environment.broker.records).toMatchObject([{ topic: 'dead-letter', key: 'gone' }])
  })

  it('waits for an entry and publishes it with the producer that is open', async () => {
    const running = start()
    await environment.until(() => running.calls.includes('journal.waitForEntry'))
    expect(running.observer.reports).toEqual(['healthy'])
    await environment.append([mo()])
    await environment.drain(running)
    expect(environment.broker.records).toHaveLength(1)
    expect(running.publisher.openCount).toBe(1)
  })

  it('encodes each item of a long entry before it decodes the next, and lets other work run in between', async () => {
    let decoded = 0
    let ticks = 0
    let longestTick = 0
    let decodedBefore = 0
    const tick = (): void => {
      ticks++
      longestTick = Math.max(longestTick, decoded - decodedBefore)
      decodedBefore = decoded
      if (decoded < 50_000) setImmediate(tick)
    }
    const encoder = new TestEncoder(environment.violations)
    const lazy: Provider = {
      name: 'test',
      *decode(): Iterable<Item> {
        for (; decoded < 50_000; decoded++) {
          if (decoded !== encoder.encoded.length)
            environment.violations.push(`item ${decoded} before the last was encoded`)
          yield itemOf(mo(), new Uint8Array())
        }
      },
    }
    await environment.append([])
    const pipeline = new Pipeline({
      journal: environment.journal,
      encoder,
      publisher: new TestPublisher(environment.broker, environment.violations),
      findSource: () => ({ provider: lazy, settings: { textFields: [], ignoreEvents: [] }, updatesWatchList: false }),
      clock: environment.clock,
      observer: new TestObserver(),
      replayMarks: { topic: 'replays', read: async () => ({ keys: new Set<string>() }) },
    })
    setImmediate(tick)
    const stop = new AbortController()
    const ended = pipeline.run(stop.signal)
    await environment.until(() => environment.broker.records.length === 50_000)
    stop.abort()
    await ended
    expect(ticks).toBeGreaterThan(90)
    expect(longestTick).toBeLessThanOrEqual(1000)
  })
})

describe('Pipeline after a failure to publish', () => {
  const entries = [[mo('a'), mo()], [dlr('b'), deadLetter], [mo()]]
  beforeEach(async () => {
    for (const items of entries) await environment.append(items)
  })
  const expectCommittedOnce = (): void => {
    expect(environment.broker.ids).toHaveLength(5)
    expect(new Set(environment.broker.ids).size).toBe(5)
    expect(environment.journal.entries).toEqual([])
  }

  it.each([
    ['was committed', 'after'],
    ['was not', 'before'],
  ] as const)('opens a new producer and publishes each item once if the transaction %s', async (_text, when) => {
    const running = await environment.drain(start(faultAt('publisher.publish', 1, { when, what: inDoubt })))
    expectCommittedOnce()
    expect(running.publisher.openCount).toBe(2)
    expect(running.count('publisher.publish')).toBe(when === 'after' ? 1 : 2)
    expect(running.observer.outcomes).toHaveLength(5)
    expect(running.observer.reports).toContain('waiting: no answer')
  })

  it.each(['before', 'after'] as const)(
    'publishes each item once if a release fails %s it takes effect',
    async (when) => {
      const full = new ConnectorError('JOURNAL_WRITE_FAILED', 'no room')
      const running = await environment.drain(start(faultAt('journal.release', 1, { when, what: full })))
      expectCommittedOnce()
      expect(running.count('publisher.publish')).toBe(1)
    },
  )

  it('encodes a batch again if schema ids changed between preparing and publishing', async () => {
    const changed = new ConnectorError('SCHEMA_IDS_CHANGED', 'ids changed')
    const running = await environment.drain(start(faultAt('encoder.ready', 2, { when: 'after', what: changed })))
    expectCommittedOnce()
    expect(running.encoder.encoded).toHaveLength(10)
  })

  it('waits for the end of a preparation before it starts again, because the encoder has one caller', async () => {
    environment = new TestEnvironment()
    for (let i = 0; i < 3; i++) await environment.append([mo(String(i))], 4 * MIB)
    const { opened, open } = gate()
    let prepared = 0
    const running = new PipelineProcess(environment, {
      faultPlan: faultAt('publisher.publish', 1, { when: 'before', what: inDoubt }),
      syncPublished: async () => {
        prepared++
        if (prepared === 2) await opened
      },
    })
    await environment.until(() => running.calls.includes('publisher.publish'))
    for (let turn = 0; turn < 50; turn++) {
      await new Promise(setImmediate)
      await environment.clock.advance(100)
    }
    expect(running.publisher.openCount).toBe(1)
    open()
    await environment.drain(running)
    expect(environment.broker.ids).toHaveLength(3)
  })

  it('stops preparing a batch that it will discard', async () => {
    const many = Array.from({ length: 20_000 }, (_, i) => mo(String(i)))
    await environment.append(many, 4 * MIB)
    const running = start(faultAt('publisher.publish', 1, { when: 'before', what: inDoubt }))
    await environment.until(() => running.observer.reports.includes('waiting: no answer'))
    expect(running.encoder.encoded.length).toBeLessThan(5000)
    await environment.drain(running)
  })

  it('publishes events again under the same ids if the broker keeps no position', async () => {
    const running = new PipelineProcess(environment, {
      faultPlan: faultAt('publisher.publish', 1, { when: 'after', what: inDoubt }),
      keepsPosition: false,
    })
    await environment.drain(running)
    expect(environment.broker.ids).toHaveLength(10)
    expect(environment.broker.ids.slice(5)).toEqual(environment.broker.ids.slice(0, 5))
    expect(running.observer.outcomes).toHaveLength(5)
  })

  it('reports a position that the broker has lost, and goes on behind the last released entry', async () => {
    await environment.drain()
    const { releasedUpTo } = environment.journal
    environment.broker.positions.clear()
    await environment.append([mo('new')])
    const running = await environment.drain()
    expect(running.observer.reports[0]).toBe(`position lost, released up to ${releasedUpTo}`)
    expect(environment.broker.ids).toHaveLength(6)
  })

  describe.each([
    ['forgets its position', -1, 0],
    ['goes back to an entry before', 0, 0],
    ['goes back inside the entry', 1, 1],
    ['goes back to the beginning of the entry', 1, 0],
  ])('inside an entry, if the broker %s', (_what, transactions, places) => {
    it('goes on behind the last released item', async () => {
      environment = new TestEnvironment()
      const { broker, journal } = environment
      const before = await environment.append([mo('before')])
      await environment.append(Array.from({ length: 9 }, (_, i) => dlr(`m${i}`)))
      const history: { readonly position: number; readonly metadata: string }[] = []
      let publishes = 0
      const faultPlan: FaultPlan = (_call, _port, method) => {
        if (method !== 'publish') return undefined
        publishes++
        history.push({
          position: broker.positions.get(journal.id) ?? -1,
          metadata: broker.metadata.get(journal.id) ?? '',
        })
        if (publishes !== 4) return undefined
        broker.positions.delete(journal.id)
        broker.metadata.delete(journal.id)
        if (transactions >= 0) broker.positions.set(journal.id, transactions === 0 ? before - 1 : before)
        if (places > 0) broker.metadata.set(journal.id, history[2]!.metadata)
        return { when: 'before', what: inDoubt }
      }
      await environment.drain(new PipelineProcess(environment, { faultPlan, limits: SMALL_LIMITS }))
      expect(broker.ids).toHaveLength(10)
      expect(new Set(broker.ids).size).toBe(10)
    })
  })

  it('reports no lost position if there never was one', async () => {
    const first = await environment.drain(new PipelineProcess(environment, { keepsPosition: false }))
    const second = await environment.drain(new PipelineProcess(environment, { keepsPosition: false }))
    for (const { observer } of [first, second]) expect(observer.reports.join()).not.toContain('position')
  })
})

describe('A duplicate', () => {
  const kindsOf = ({ observer }: PipelineProcess): string[] => observer.outcomes.map(({ kind }) => kind)

  it('is counted and not published within one entry and within one batch', async () => {
    await environment.append([dlr('a'), dlr('a'), mo('a')])
    await environment.append([dlr('b'), dlr('a')])
    expect(kindsOf(await environment.drain())).toEqual(['dlr', 'duplicate', 'mo', 'dlr', 'duplicate'])
    expect(environment.broker.ids).toHaveLength(3)
  })

  it('is recognised while its first occurrence is being committed', async () => {
    await environment.append([dlr('a')], 4 * MIB)
    await environment.append([dlr('a'), dlr('b')], 4 * MIB)
    await environment.append([dlr('b'), dlr('c')], 4 * MIB)
    const running = await environment.drain()
    expect(running.count('publisher.publish')).toBe(3)
    expect(kindsOf(running)).toEqual(['dlr', 'duplicate', 'dlr', 'duplicate', 'dlr'])
  })

  it('is recognised again after a crash before the release', async () => {
    await environment.append([dlr('a')])
    await environment.drain()
    await environment.append([dlr('a'), dlr('b'), dlr('b')])
    const crashed = start(faultAt('publisher.publish', 1, { when: 'after', what: 'crash' }))
    await environment.until(() => crashed.hasCrashed)
    await environment.append([dlr('b'), dlr('c')])
    expect(kindsOf(await environment.drain())).toEqual(['duplicate', 'dlr', 'duplicate', 'duplicate', 'dlr'])
    expect(environment.broker.ids).toHaveLength(3)
  })

  it('is not an item whose earlier occurrence could not be encoded, so that a replay of it is published', async () => {
    await environment.append([dlr(UNENCODABLE)])
    const first = await environment.drain()
    expect(first.observer.outcomes).toMatchObject([{ kind: 'dead-letter', deadLetter: { reason: 'too-large' } }])
    await environment.append([dlr(UNENCODABLE)])
    const again = await environment.drain()
    expect(again.observer.outcomes).toMatchObject([{ kind: 'dead-letter' }])
    expect(environment.broker.ids).toHaveLength(2)
  })

  it('is not an item with the same identity of another source', async () => {
    await environment.append([dlr('a')])
    await environment.append([dlr('a')], 0, 'watched')
    expect(kindsOf(await environment.drain())).toEqual(['dlr', 'dlr'])
  })

  it('is never an item without an identity, nor a dead letter', async () => {
    await environment.append([mo(), mo(), deadLetter, deadLetter])
    await environment.append([mo(), deadLetter])
    expect(kindsOf(await environment.drain())).toEqual(['mo', 'mo', 'dead-letter', 'dead-letter', 'mo', 'dead-letter'])
    expect(new Set(environment.broker.ids).size).toBe(6)
  })
})

describe('The watch list', () => {
  const watched = (): string[] => [...environment.journal.watchList.list('watched')].map(({ messageId }) => messageId)

  it('holds each message of a watched source whose receipts are not final', async () => {
    await environment.append([dlr('a', false), dlr('b', false), dlr('c')], 0, 'watched')
    await environment.append([dlr('d', false)], 0, 'plain')
    await environment.drain()
    expect(watched()).toEqual(['a', 'b'])
    expect([...environment.journal.watchList.list('plain')]).toEqual([])
  })

  it('loses a message with its final receipt, even if the receipt is a duplicate', async () => {
    await environment.journal.watchList.add('watched', ['a', 'b'], 1)
    await environment.append([dlr('a')], 0, 'watched')
    await environment.drain()
    expect(watched()).toEqual(['b'])
    await environment.journal.watchList.add('watched', ['a'], 2)
    await environment.append([dlr('a')], 0, 'watched')
    await environment.drain()
    expect(watched()).toEqual(['b'])
  })

  it('does not take up a message again because of a duplicate', async () => {
    await environment.append([dlr('a', false)], 0, 'watched')
    await environment.drain()
    await environment.journal.watchList.remove('watched', ['a'])
    await environment.append([dlr('a', false)], 0, 'watched')
    await environment.drain()
    expect(watched()).toEqual([])
  })

  it('takes up a message also if a crash came between commit and release', async () => {
    await environment.append([dlr('a', false)], 0, 'watched')
    const crashed = start(faultAt('journal.release', 1, { when: 'before', what: 'crash' }))
    await environment.until(() => crashed.hasCrashed)
    expect(watched()).toEqual([])
    await environment.drain()
    expect(watched()).toEqual(['a'])
    expect(environment.broker.ids).toHaveLength(1)
  })
})

describe('Pipeline while Kafka or the registry is unreachable', () => {
  const unreachable = new ConnectorError('KAFKA_UNREACHABLE', 'no broker answers')

  it('tries again after delays that double up to 5 s, and reports why it waits', async () => {
    const running = start((_call, port, method) =>
      port === 'publisher' && method === 'open' ? { when: 'before', what: unreachable } : undefined,
    )
    const delays: number[] = []
    for (let i = 0; i < 9; i++) {
      const delay = await environment.clock.untilSleeping()
      delays.push(delay)
      await environment.clock.advance(delay)
    }
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000])
    expect(new Set(running.observer.reports)).toEqual(new Set(['waiting: no broker answers']))
    running.stop.abort()
    await running.ended
    expect(running.publisher.closeCount).toBe(1)
  })

  it('lets the delays grow while producers open but fail to publish', async () => {
    await environment.append([mo()])
    const running = start((_call, _port, method) =>
      method === 'publish' ? { when: 'before', what: inDoubt } : undefined,
    )
    const delays: number[] = []
    for (let i = 0; i < 4; i++) {
      const delay = await environment.clock.untilSleeping()
      delays.push(delay)
      await environment.clock.advance(delay)
    }
    expect(delays).toEqual([100, 200, 400, 800])
    expect(running.observer.reports).not.toContain('healthy')
    running.stop.abort()
    await running.ended
  })

  it('halves its batches while transactions fail, and doubles them again when they succeed', async () => {
    for (let i = 0; i < 24; i++) await environment.append([mo(String(i))], 0.45 * MIB)
    const running: PipelineProcess = start((_call, _port, method) =>
      method === 'publish' && running.count('publisher.publish') <= 6
        ? { when: 'before', what: unreachable }
        : undefined,
    )
    await environment.drain(running)
    expect(running.observer.reports.filter((report) => report.startsWith('committed'))).toEqual(
      ['1', '1', '1', '1', '2', '4', '4', '8', '2'].map((count) => `committed ${count}`),
    )
  })

  it('starts with short delays again after a commit, and reports once that it is healthy', async () => {
    await environment.append([mo()])
    let failing = true
    const running = start((_call, port, method) =>
      failing && `${port}.${method}` === 'encoder.ready' ? { when: 'before', what: unreachable } : undefined,
    )
    for (let i = 0; i < 3; i++) await environment.clock.advance(await environment.clock.untilSleeping())
    expect(await environment.clock.untilSleeping()).toBe(800)
    failing = false
    await environment.until(() => environment.journal.entries.length === 0)
    await environment.append([mo()])
    await environment.until(() => environment.journal.entries.length === 0)
    expect(running.observer.reports.filter((report) => report === 'healthy')).toHaveLength(1)
    failing = true
    await environment.append([mo()])
    expect(await environment.clock.untilSleeping()).toBe(100)
    failing = false
    await environment.drain(running)
    expect(environment.broker.records).toHaveLength(3)
  })
})

describe('Pipeline that is reopened', () => {
  it('finishes and releases the commit in progress, applies the changes, and goes on with a new producer', async () => {
    for (let i = 0; i < 4; i++) await environment.append([mo(String(i))], 4 * MIB)
    const { opened, open } = gate()
    const running = start(faultAt('publisher.publish', 2, { when: 'before', what: opened }))
    await environment.until(() => environment.broker.records.length === 1 && running.encoder.encoded.length === 3)
    running.reopen()
    running.reopen()
    await turnUntilIdle()
    expect(running.calls).not.toContain('apply')
    open()
    await environment.drain(running)
    expect(environment.broker.ids).toHaveLength(4)
    expect(new Set(environment.broker.ids).size).toBe(4)
    const steps = running.calls.filter((call) => !/encode|journal.waitForEntry/.test(call))
    expect(steps.slice(steps.indexOf('apply') - 2, steps.indexOf('apply') + 3)).toEqual([
      'publisher.publish',
      'journal.release',
      'apply',
      'apply',
      'publisher.open',
    ])
    expect(running.observer.reports.filter((report) => report.startsWith('waiting'))).toEqual([])
  })

  it('applies a change at once while it waits for an entry, or for its next attempt', async () => {
    const running = start(faultAt('publisher.open', 2, { when: 'before', what: inDoubt }))
    await environment.until(() => running.calls.includes('journal.waitForEntry'))
    running.reopen()
    await environment.clock.untilSleeping()
    expect(running.calls.filter((call) => /apply|open/.test(call))).toEqual([
      'publisher.open',
      'apply',
      'publisher.open',
    ])
    running.reopen()
    await turnUntil(() => running.count('publisher.open') === 3)
    expect(running.count('apply')).toBe(2)
    await turnUntil(() => running.observer.reports.length === 3)
    expect(running.observer.reports).toEqual(['healthy', 'waiting: no answer', 'healthy'])
    running.stop.abort()
    await running.ended
  })
})

describe('Pipeline at its end', () => {
  it('rejects and publishes nothing more if a newer producer has replaced its own', async () => {
    await environment.append([mo()])
    const replaced = new ConnectorError('PRODUCER_REPLACED', 'another process has this instance')
    const running = start(faultAt('publisher.publish', 1, { when: 'before', what: replaced }))
    await expect(running.ended).rejects.toBe(replaced)
    expect(running.publisher.closeCount).toBe(1)
    expect(environment.journal.entries).toHaveLength(1)
    expect(running.observer.reports).toEqual([])
  })

  it("rejects if the journal can't be used any more", async () => {
    await environment.append([mo()])
    const unusable = new ConnectorError('JOURNAL_UNUSABLE', 'the disk is gone')
    const running = start(faultAt('journal.release', 1, { when: 'before', what: unusable }))
    await expect(running.ended).rejects.toBe(unusable)
    expect(running.publisher.closeCount).toBe(1)
  })

  it('finishes and releases the commit in progress after the signal, and begins no other', async () => {
    for (let i = 0; i < 4; i++) await environment.append([mo(String(i))], 4 * MIB)
    const { opened, open } = gate()
    const running = start(faultAt('publisher.publish', 2, { when: 'before', what: opened }))
    await environment.until(() => environment.broker.records.length === 1 && running.encoder.encoded.length === 3)
    running.stop.abort()
    open()
    await running.ended
    expect(environment.broker.records).toHaveLength(2)
    expect(environment.journal.entries).toHaveLength(2)
    expect(running.publisher.closeCount).toBe(1)
  })

  it('ends at once after the signal while it waits for an entry, or between two attempts', async () => {
    const waiting = start()
    await environment.until(() => waiting.calls.includes('journal.waitForEntry'))
    waiting.stop.abort()
    await waiting.ended
    const delayed = start(faultAt('publisher.open', 1, { when: 'before', what: inDoubt }))
    await environment.clock.untilSleeping()
    delayed.stop.abort()
    await delayed.ended
    expect(delayed.publisher.openCount).toBe(0)
  })
})

/** Entries and their padding: items of every kind, duplicates included, in several batches. */
const SCENARIO: readonly (readonly [readonly ItemSpec[], number])[] = [
  [[dlr('a'), mo(), dlr('a')], MIB],
  [[dlr('b', false), deadLetter], 3 * MIB],
  [[dlr('a'), dlr('b', false), mo('m')], 4 * MIB],
  [[mo(), mo(), dlr('b', true)], MIB],
  [[dlr('c'), mo('m')], 4 * MIB],
  [[dlr('d'), deadLetterOf(5), dlr('d'), mo(), dlr('e', false)], 0],
]

/** The kinds of the records that must be published, in order of arrival: duplicates have none, dead letters may have several. */
const expectedKinds = (entries: readonly (readonly ItemSpec[])[]): string[] => {
  const seen = new Set<string>()
  return entries.flat().flatMap(({ kind, id, parts = 1 }) => {
    const name = `${kind} ${id}`
    if (id !== null && seen.has(name)) return []
    seen.add(name)
    return Array<string>(parts).fill(kind)
  })
}

const expectPublishedOnce = (entries: readonly (readonly ItemSpec[])[]): void => {
  expect(new Set(environment.broker.ids).size).toBe(environment.broker.ids.length)
  expect(environment.broker.records.map(({ topic }) => topic)).toEqual(expectedKinds(entries))
  expect(environment.violations).toEqual([])
}

describe.each([
  ['in batches of entries', undefined],
  ['in batches that are smaller than an entry', SMALL_LIMITS],
])('Pipeline publishes each item once %s', (_what, limits) => {
  const start = (faultPlan?: FaultPlan): PipelineProcess =>
    new PipelineProcess(environment, { limits, ...(faultPlan && { faultPlan }) })
  const drain = (running = start()): Promise<PipelineProcess> => environment.drain(running)
  const beginScenario = async (): Promise<void> => {
    environment = new TestEnvironment()
    for (const [items, padding] of SCENARIO) await environment.append(items, padding)
  }
  const countCalls = async (): Promise<number> => {
    await beginScenario()
    return (await drain()).calls.length
  }
  const check = (): void => expectPublishedOnce(SCENARIO.map(([items]) => items))

  it.each(['before', 'after'] as const)(
    'if the process crashes at any call to a port, %s the call takes effect',
    async (when) => {
      const calls = await countCalls()
      expect(calls).toBeGreaterThan(25)
      for (let last = 1; last <= calls; last++) {
        await beginScenario()
        const crashing = start((call) => (call === last ? { when, what: 'crash' } : undefined))
        await environment.until(() => crashing.hasCrashed || environment.journal.entries.length === 0)
        await drain()
        check()
      }
    },
  )

  it.each(['before', 'after'] as const)('if any call to a port fails, %s it takes effect', async (when) => {
    const calls = await countCalls()
    for (let bad = 1; bad <= calls; bad++) {
      await beginScenario()
      await drain(start((call) => (call === bad ? { when, what: inDoubt } : undefined)))
      check()
    }
  })

  it('if it is reopened during any call to a port', async () => {
    const calls = await countCalls()
    for (let reopenAt = 1; reopenAt <= calls; reopenAt++) {
      await beginScenario()
      const running: PipelineProcess = start((call) => {
        if (call === reopenAt) queueMicrotask(() => running.reopen())
        return undefined
      })
      await drain(running)
      check()
      expect(running.observer.reports.filter((report) => report.startsWith('waiting'))).toEqual([])
    }
  })

  it('if the signal to stop comes during any call to a port', async () => {
    const calls = await countCalls()
    for (let stopAt = 1; stopAt <= calls; stopAt++) {
      await beginScenario()
      const running: PipelineProcess = start((call) => {
        if (call === stopAt) running.stop.abort()
        return undefined
      })
      await environment.until(() => running.hasEnded || environment.journal.entries.length === 0)
      running.stop.abort()
      await running.ended
      await drain()
      check()
    }
  })
})

describe('Pipeline with random entries, failures and crashes', () => {
  const item: fc.Arbitrary<ItemSpec> = fc.oneof(
    fc.record({ kind: fc.constant('dlr' as const), id: fc.constantFrom('a', 'b', 'c', 'd'), final: fc.boolean() }),
    fc.record({ kind: fc.constant('mo' as const), id: fc.option(fc.constantFrom('m', 'n')) }),
    fc.integer({ min: 1, max: 5 }).map(deadLetterOf),
  )
  const entry = fc.record({
    items: fc.array(item, { maxLength: 6 }),
    padding: fc.constantFrom(0, 0, MIB, 4 * MIB),
    /** The entry arrives after this many calls to ports. */
    arrivesAt: fc.nat(40),
  })
  const fault = fc.record({
    call: fc.integer({ min: 1, max: 40 }),
    when: fc.constantFrom('before' as const, 'after' as const),
    what: fc.constantFrom('crash' as const, inDoubt, new ConnectorError('JOURNAL_WRITE_FAILED', 'no room')),
  })

  it('publishes each identity once, and each item without one, in order of arrival', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { minLength: 1, maxLength: 12 }),
        fc.array(fc.array(fault, { maxLength: 5 }), { maxLength: 4 }),
        fc.constantFrom(undefined, SMALL_LIMITS, { ...SMALL_LIMITS, items: 1 }),
        async (entries, runs, limits) => {
          environment = new TestEnvironment()
          const arrived: (readonly ItemSpec[])[] = []
          const upcoming = [...entries].sort((a, b) => a.arrivesAt - b.arrivesAt)
          const arrive = (calls: number): void => {
            while (upcoming[0] !== undefined && upcoming[0].arrivesAt <= calls) {
              const { items, padding } = upcoming.shift()!
              arrived.push(items)
              void environment.append(items, padding)
            }
          }
          arrive(5)
          for (const faults of runs) {
            const faultPlan: FaultPlan = (call) => {
              arrive(call)
              return faults.find((each) => each.call === call)
            }
            const running = new PipelineProcess(environment, { faultPlan, limits })
            await environment.until(() => running.hasCrashed || environment.journal.entries.length === 0)
            running.stop.abort()
            await environment.until(() => running.hasCrashed || running.hasEnded)
          }
          arrive(Infinity)
          await environment.drain(new PipelineProcess(environment, { limits }))
          expectPublishedOnce(arrived)
        },
      ),
      { numRuns: Number(process.env['MODEL_RUNS'] ?? 150) },
    )
  })
})
