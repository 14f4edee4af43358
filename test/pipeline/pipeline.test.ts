/** The flow: what happens in which order, and what is left when it ends anywhere. */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ConnectorError } from '../../src/core/errors.js'
import type { Item, Provider } from '../../src/providers/provider.js'
import { Pipeline } from '../../src/pipeline/pipeline.js'
import {
  dead,
  dlr,
  type Fate,
  type ItemSpec,
  mo,
  Process,
  TestEncoder,
  TestObserver,
  UNFIT,
  World,
  itemOf,
} from '../support/flow.js'

vi.setConfig({ testTimeout: 60_000 })

const MIB = 1024 * 1024
let world: World

beforeEach(() => {
  world = new World()
})
afterEach(() => expect(world.breaches).toEqual([]))

const doubt = new ConnectorError('PUBLISH_IN_DOUBT', 'no answer')

/** The fate of the nth call of one method, the rest working. */
const once = (method: string, nth: number, meets: ReturnType<Fate>): Fate => {
  let seen = 0
  return (_call, port, name) => (`${port}.${name}` === method && ++seen === nth ? meets : undefined)
}

const letGo = (): { open: Promise<void>; now: () => void } => {
  let now = (): void => undefined
  const open = new Promise<void>((resolve) => (now = resolve))
  return { open, now }
}

describe('the flow', () => {
  it('asks at the gate, opens, recovers, prepares, asks again, publishes, and only then releases', async () => {
    await world.append([mo()])
    const process = await world.drain()
    expect(process.calls.slice(0, 8)).toEqual([
      'encoder.ready',
      'publisher.open',
      'journal.recover',
      'encoder.encode',
      'encoder.ready',
      'publisher.publish',
      'journal.waitForEntry',
      'journal.release',
    ])
    expect(process.observer.told).toEqual(['committed 1', 'goes on', 'released'])
    expect(process.publisher.closed).toBe(1)
  })

  it('prepares anew, where replicas share, what waited for a long commit; once, since that may take as long', async () => {
    for (const id of ['a', 'b']) await world.append([mo(id)], 4 * MIB)
    const looked: number[] = []
    const meanwhile = async (encoded: number): Promise<void> => {
      while (process.encoder.encoded.length < encoded) await new Promise(setImmediate)
      await world.clock.advance(11_000)
    }
    const slow: Fate = (_call, port, method) => {
      if (method === 'publish' && looked.length === 1) return { when: 'before', what: meanwhile(2) }
      return port === 'encoder' && method === 'encode' && looked.length === 3
        ? { when: 'after', what: meanwhile(3) }
        : undefined
    }
    const process: Process = new Process(world, slow, true, async ([entry]) => void looked.push(entry!.seq))
    await world.drain(process)
    expect(looked).toEqual([1, 2, 2])
    expect(process.publisher.opened).toBe(1)
    expect(process.observer.told).toEqual(['committed 1', 'goes on', 'released', 'committed 1', 'released'])
    expect(world.broker.ids).toHaveLength(2)
  })

  it('keeps order, and commits the position of the last entry', async () => {
    for (let i = 0; i < 20; i++) await world.append([mo(`${i}a`), mo(`${i}b`)])
    const last = world.journal.entries.at(-1)!.seq
    const process = await world.drain()
    expect(world.broker.ids).toEqual(process.encoder.encoded)
    expect(world.broker.ids).toHaveLength(40)
    expect(world.broker.positions.get(world.journal.id)).toBe(last)
    expect(world.journal.releasedUpTo).toBe(last)
  })

  it('prepares one batch while another commits, never two producer operations at once', async () => {
    for (let i = 0; i < 6; i++) await world.append([mo(String(i))], 1.5 * MIB)
    const gate = letGo()
    const process = new Process(world, once('publisher.publish', 1, { when: 'before', what: gate.open }))
    await world.until(() => process.encoder.encoded.length === 4)
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    expect(process.encoder.encoded).toHaveLength(4)
    expect(world.broker.records).toEqual([])
    expect(world.journal.entries).toHaveLength(6)
    gate.now()
    await world.drain(process)
    expect(world.broker.ids).toHaveLength(6)
  })

  it('takes an entry with more items than any batch whole', async () => {
    await world.append([mo('before')])
    await world.append(Array.from({ length: 20_000 }, (_, i) => dlr(`m${i}`)))
    await world.append([mo('after')])
    await world.drain()
    expect(world.broker.records).toHaveLength(20_002)
    expect(new Set(world.broker.ids).size).toBe(20_002)
  })

  it('moves the position over entries that give no record', async () => {
    await world.append([])
    await world.append([])
    await world.drain()
    expect(world.broker.records).toEqual([])
    expect(world.broker.positions.get(world.journal.id)).toBe(world.journal.releasedUpTo)
    expect(world.journal.releasedUpTo).toBeGreaterThan(0)
  })

  it('makes a dead letter of an entry whose source is gone', async () => {
    await world.append([mo()], 0, 'gone')
    const { observer } = await world.drain()
    expect(observer.outcomes).toMatchObject([{ kind: 'dead-letter', reason: 'unknown-source', source: 'gone' }])
    expect(world.broker.records).toMatchObject([{ topic: 'dead-letter', key: 'gone' }])
  })

  it('waits for what arrives, and goes on with it', async () => {
    const process = new Process(world)
    await world.until(() => process.calls.includes('journal.waitForEntry'))
    expect(process.observer.told).toEqual(['goes on'])
    await world.append([mo()])
    await world.drain(process)
    expect(world.broker.records).toHaveLength(1)
    expect(process.publisher.opened).toBe(1)
  })

  it('reads a long entry item by item, each encoded before the next, and lets others run in between', async () => {
    let given = 0
    let turns = 0
    let longest = 0
    let before = 0
    const tick = (): void => {
      turns++
      longest = Math.max(longest, given - before)
      before = given
      if (given < 50_000) setImmediate(tick)
    }
    const encoder = new TestEncoder(world.breaches)
    const lazy: Provider = {
      name: 'test',
      *decode(): Iterable<Item> {
        for (; given < 50_000; given++) {
          if (given !== encoder.encoded.length) world.breaches.push(`item ${given} before its forerunner was encoded`)
          yield itemOf(mo(), new Uint8Array())
        }
      },
    }
    await world.append([])
    const process = new Process(world, (_call, _port, method) =>
      method === 'open' ? { when: 'before', what: 'death' } : undefined,
    )
    const observer = new TestObserver()
    const pipeline = new Pipeline({
      journal: world.journal,
      encoder,
      publisher: process.publisher,
      findSource: () => ({ provider: lazy, settings: { textFields: [], ignoreEvents: [] }, updatesWatchList: false }),
      clock: world.clock,
      observer,
    })
    setImmediate(tick)
    const stop = new AbortController()
    const ended = pipeline.run(stop.signal)
    await world.until(() => world.broker.records.length === 50_000)
    stop.abort()
    await ended
    expect(turns).toBeGreaterThan(90)
    expect(longest).toBeLessThanOrEqual(1000)
  })
})

describe('doubt', () => {
  const arrivals = [[mo('a'), mo()], [dlr('b'), dead], [mo()]]
  beforeEach(async () => {
    for (const items of arrivals) await world.append(items)
  })
  const committedOnce = (): void => {
    expect(world.broker.ids).toHaveLength(5)
    expect(new Set(world.broker.ids).size).toBe(5)
    expect(world.journal.entries).toEqual([])
  }

  it.each([
    ['was committed', 'after'],
    ['was not', 'before'],
  ] as const)('opens a new producer, and doubles and loses nothing when the transaction %s', async (_text, when) => {
    const process = await world.drain(new Process(world, once('publisher.publish', 1, { when, what: doubt })))
    committedOnce()
    expect(process.publisher.opened).toBe(2)
    expect(process.calls.filter((call) => call === 'publisher.publish')).toHaveLength(when === 'after' ? 1 : 2)
    expect(process.observer.outcomes).toHaveLength(5)
    expect(process.observer.told).toContain('waits: no answer')
  })

  it.each(['before', 'after'] as const)('loses nothing when a release fails: %s its effect', async (when) => {
    const full = new ConnectorError('JOURNAL_WRITE_FAILED', 'no room')
    const process = await world.drain(new Process(world, once('journal.release', 1, { when, what: full })))
    committedOnce()
    expect(process.calls.filter((call) => call === 'publisher.publish')).toHaveLength(1)
  })

  it('encodes again when schema ids have changed between preparing and publishing', async () => {
    const changed = new ConnectorError('SCHEMA_IDS_CHANGED', 'ids changed')
    const process = await world.drain(new Process(world, once('encoder.ready', 2, { when: 'after', what: changed })))
    committedOnce()
    expect(process.encoder.encoded).toHaveLength(10)
  })

  it('waits for what was being encoded before it goes on: the encoder has one caller', async () => {
    for (let i = 0; i < 3; i++) await world.append([mo(String(i))], 4 * MIB)
    const gate = letGo()
    let encoded = 0
    const process = new Process(world, (_call, _port, method) => {
      if (method === 'publish' && process.calls.filter((call) => call.endsWith('publish')).length === 1) {
        return { when: 'before', what: doubt }
      }
      return method === 'encode' && ++encoded === 6 ? { when: 'before', what: gate.open } : undefined
    })
    await world.until(() => process.calls.includes('publisher.publish'))
    for (let turn = 0; turn < 50; turn++) {
      await new Promise(setImmediate)
      await world.clock.advance(100)
    }
    expect(process.publisher.opened).toBe(1)
    gate.now()
    await world.drain(process)
    expect(world.broker.ids).toHaveLength(8)
  })

  it('stops preparing what it will forget', async () => {
    const many = Array.from({ length: 20_000 }, (_, i) => mo(String(i)))
    await world.append(many, 4 * MIB)
    const process = new Process(world, once('publisher.publish', 1, { when: 'before', what: doubt }))
    await world.until(() => process.observer.told.includes('waits: no answer'))
    expect(process.encoder.encoded.length).toBeLessThan(5000)
    await world.drain(process)
  })

  it('publishes again under the same id where the broker keeps no position, and loses nothing', async () => {
    const process = new Process(world, once('publisher.publish', 1, { when: 'after', what: doubt }), false)
    await world.drain(process)
    expect(world.broker.ids).toHaveLength(10)
    expect(world.broker.ids.slice(5)).toEqual(world.broker.ids.slice(0, 5))
    expect(process.observer.outcomes).toHaveLength(5)
  })

  it('says that the position is gone when the broker has forgotten it, and goes on behind what was released', async () => {
    await world.drain()
    const { releasedUpTo: released } = world.journal
    world.broker.positions.clear()
    await world.append([mo('new')])
    const process = await world.drain()
    expect(process.observer.told[0]).toBe(`position lost behind ${released}`)
    expect(world.broker.ids).toHaveLength(6)
  })

  it('says nothing of a position that never was, or that nobody keeps', async () => {
    const first = await world.drain(new Process(world, undefined, false))
    const second = await world.drain(new Process(world, undefined, false))
    for (const { observer } of [first, second]) expect(observer.told.join()).not.toContain('position')
  })
})

describe('a duplicate', () => {
  const kindsOf = ({ observer }: Process): string[] => observer.outcomes.map(({ kind }) => kind)

  it('within an entry, and within a batch, is counted and not published', async () => {
    await world.append([dlr('a'), dlr('a'), mo('a')])
    await world.append([dlr('b'), dlr('a')])
    expect(kindsOf(await world.drain())).toEqual(['dlr', 'duplicate', 'mo', 'dlr', 'duplicate'])
    expect(world.broker.ids).toHaveLength(3)
  })

  it('is one also while its first arrival is being committed', async () => {
    await world.append([dlr('a')], 4 * MIB)
    await world.append([dlr('a'), dlr('b')], 4 * MIB)
    await world.append([dlr('b'), dlr('c')], 4 * MIB)
    const process = await world.drain()
    expect(process.calls.filter((call) => call === 'publisher.publish')).toHaveLength(3)
    expect(kindsOf(process)).toEqual(['dlr', 'duplicate', 'dlr', 'duplicate', 'dlr'])
  })

  it('is one after a restart, in which it is decided again', async () => {
    await world.append([dlr('a')])
    await world.drain()
    await world.append([dlr('a'), dlr('b'), dlr('b')])
    const killed = new Process(world, once('publisher.publish', 1, { when: 'after', what: 'death' }))
    await world.until(() => killed.dead)
    await world.append([dlr('b'), dlr('c')])
    expect(kindsOf(await world.drain())).toEqual(['duplicate', 'dlr', 'duplicate', 'duplicate', 'dlr'])
    expect(world.broker.ids).toHaveLength(3)
  })

  it('is none of an item that no record could hold: the next one, a replay say, is published', async () => {
    await world.append([dlr(UNFIT)])
    const first = await world.drain()
    expect(first.observer.outcomes).toMatchObject([{ kind: 'dead-letter', reason: 'too-large' }])
    await world.append([dlr(UNFIT)])
    const again = await world.drain()
    expect(again.observer.outcomes).toMatchObject([{ kind: 'dead-letter' }])
    expect(world.broker.ids).toHaveLength(2)
  })

  it('of another source is none', async () => {
    await world.append([dlr('a')])
    await world.append([dlr('a')], 0, 'watched')
    expect(kindsOf(await world.drain())).toEqual(['dlr', 'dlr'])
  })

  it('is never an item that nothing identifies, nor a dead letter', async () => {
    await world.append([mo(), mo(), dead, dead])
    await world.append([mo(), dead])
    expect(kindsOf(await world.drain())).toEqual(['mo', 'mo', 'dead-letter', 'dead-letter', 'mo', 'dead-letter'])
    expect(new Set(world.broker.ids).size).toBe(6)
  })
})

describe('what is watched', () => {
  const watched = (): string[] => [...world.journal.watchList.list('watched')].map(({ messageId }) => messageId)

  it('is each message with a receipt that is not final, until one is', async () => {
    await world.append([dlr('a', false), dlr('b', false), dlr('c')], 0, 'watched')
    await world.append([dlr('d', false)], 0, 'plain')
    await world.drain()
    expect(watched()).toEqual(['a', 'b'])
    expect([...world.journal.watchList.list('plain')]).toEqual([])
  })

  it('is closed by a final receipt, also one that was seen before', async () => {
    await world.journal.watchList.add('watched', ['a', 'b'], 1)
    await world.append([dlr('a')], 0, 'watched')
    await world.drain()
    expect(watched()).toEqual(['b'])
    await world.journal.watchList.add('watched', ['a'], 2)
    await world.append([dlr('a')], 0, 'watched')
    await world.drain()
    expect(watched()).toEqual(['b'])
  })

  it('is not opened again by a receipt that was seen before', async () => {
    await world.append([dlr('a', false)], 0, 'watched')
    await world.drain()
    await world.journal.watchList.remove('watched', ['a'])
    await world.append([dlr('a', false)], 0, 'watched')
    await world.drain()
    expect(watched()).toEqual([])
  })

  it('is the same when the entries were committed and a crash came before their release', async () => {
    await world.append([dlr('a', false)], 0, 'watched')
    const killed = new Process(world, once('journal.release', 1, { when: 'before', what: 'death' }))
    await world.until(() => killed.dead)
    expect(watched()).toEqual([])
    await world.drain()
    expect(watched()).toEqual(['a'])
    expect(world.broker.ids).toHaveLength(1)
  })
})

describe('while Kafka or the registry is away', () => {
  const away = new ConnectorError('KAFKA_UNREACHABLE', 'nobody answers')

  it('tries again after a pause that doubles up to 5 s, and says why it waits', async () => {
    const process = new Process(world, (_call, port, method) =>
      port === 'publisher' && method === 'open' ? { when: 'before', what: away } : undefined,
    )
    const pauses: number[] = []
    for (let i = 0; i < 9; i++) {
      const pause = await world.clock.untilSleeping()
      pauses.push(pause)
      await world.clock.advance(pause)
    }
    expect(pauses).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000])
    expect(process.observer.told).toEqual(Array.from({ length: process.observer.told.length }, () => 'waits: nobody answers')) // prettier-ignore
    process.stop.abort()
    await process.ended
    expect(process.publisher.closed).toBe(1)
  })

  it('does not take an open producer for one that publishes: the pauses go on growing', async () => {
    await world.append([mo()])
    const process = new Process(world, (_call, _port, method) =>
      method === 'publish' ? { when: 'before', what: doubt } : undefined,
    )
    const pauses: number[] = []
    for (let i = 0; i < 4; i++) {
      const pause = await world.clock.untilSleeping()
      pauses.push(pause)
      await world.clock.advance(pause)
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
    }
    expect(pauses).toEqual([100, 200, 400, 800])
    expect(process.observer.told).not.toContain('goes on')
    process.stop.abort()
    await process.ended
  })

  it('makes transactions smaller while none gets through, and as large as before once they do', async () => {
    for (let i = 0; i < 24; i++) await world.append([mo(String(i))], 0.45 * MIB)
    let left = 6
    const process = new Process(world, (_call, port, method) =>
      port === 'publisher' && method === 'publish' && left-- > 0 ? { when: 'before', what: away } : undefined,
    )
    await world.drain(process)
    expect(process.observer.told.filter((each) => each.startsWith('committed'))).toEqual(
      ['1', '1', '1', '2', '4', '8', '7'].map((count) => `committed ${count}`),
    )
  })

  it('begins with short pauses again once something was committed, and says once that it goes on', async () => {
    await world.append([mo()])
    let failing = true
    const process = new Process(world, (_call, port, method) =>
      failing && `${port}.${method}` === 'encoder.ready' ? { when: 'before', what: away } : undefined,
    )
    for (let i = 0; i < 3; i++) await world.clock.advance(await world.clock.untilSleeping())
    expect(await world.clock.untilSleeping()).toBe(800)
    failing = false
    await world.until(() => world.journal.entries.length === 0)
    await world.append([mo()])
    await world.until(() => world.journal.entries.length === 0)
    expect(process.observer.told.filter((told) => told === 'goes on')).toHaveLength(1)
    failing = true
    await world.append([mo()])
    expect(await world.clock.untilSleeping()).toBe(100)
    failing = false
    await world.drain(process)
    expect(world.broker.records).toHaveLength(3)
  })
})

describe('the end', () => {
  it('comes with an error when a younger producer took over; nothing more is published', async () => {
    await world.append([mo()])
    const replaced = new ConnectorError('PRODUCER_REPLACED', 'another process has this instance')
    const process = new Process(world, once('publisher.publish', 1, { when: 'before', what: replaced }))
    await expect(process.ended).rejects.toBe(replaced)
    expect(process.publisher.closed).toBe(1)
    expect(world.journal.entries).toHaveLength(1)
    expect(process.observer.told).toEqual([])
  })

  it('comes with an error when the journal can not be used any more', async () => {
    await world.append([mo()])
    const unusable = new ConnectorError('JOURNAL_UNUSABLE', 'the disk is gone')
    const process = new Process(world, once('journal.release', 1, { when: 'before', what: unusable }))
    await expect(process.ended).rejects.toBe(unusable)
    expect(process.publisher.closed).toBe(1)
  })

  it('that a signal brings finishes the commit under way, releases it, and begins no other', async () => {
    for (let i = 0; i < 4; i++) await world.append([mo(String(i))], 4 * MIB)
    const gate = letGo()
    const process = new Process(world, once('publisher.publish', 2, { when: 'before', what: gate.open }))
    await world.until(() => world.broker.records.length === 1 && process.encoder.encoded.length === 3)
    process.stop.abort()
    gate.now()
    await process.ended
    expect(world.broker.records).toHaveLength(2)
    expect(world.journal.entries).toHaveLength(2)
    expect(process.publisher.closed).toBe(1)
  })

  it('comes at once while a pause is waited out, or an entry', async () => {
    const waiting = new Process(world)
    await world.until(() => waiting.calls.includes('journal.waitForEntry'))
    waiting.stop.abort()
    await waiting.ended
    const pausing = new Process(world, once('publisher.open', 1, { when: 'before', what: doubt }))
    await world.clock.untilSleeping()
    pausing.stop.abort()
    await pausing.ended
    expect(pausing.publisher.opened).toBe(0)
  })
})

/** Items of every kind, doubles included, in several batches. */
const SCENARIO: readonly (readonly [readonly ItemSpec[], number])[] = [
  [[dlr('a'), mo(), dlr('a')], MIB],
  [[dlr('b', false), dead], 3 * MIB],
  [[dlr('a'), dlr('b', false), mo('m')], 4 * MIB],
  [[mo(), mo(), dlr('b', true)], MIB],
  [[dlr('c'), mo('m')], 4 * MIB],
]

/** Exactly one record for each identity, and for each arrival of an item without one, in order of arrival. */
function expected(entries: readonly (readonly ItemSpec[])[]): number {
  const identified = entries.flat().filter(({ id }) => id !== null)
  return new Set(identified.map(({ kind, id }) => `${kind} ${id}`)).size + entries.flat().length - identified.length
}

/** Kinds and identities in the order in which they first arrived. */
const firstArrivals = (entries: readonly (readonly ItemSpec[])[]): string[] => {
  const seen = new Set<string>()
  return entries.flat().flatMap(({ kind, id }) => {
    const name = `${kind} ${id}`
    if (id !== null && seen.has(name)) return []
    seen.add(name)
    return [kind]
  })
}

describe('every call to a port', () => {
  const countCalls = async (): Promise<number> => {
    const trial = new World()
    for (const [items, padding] of SCENARIO) await trial.append(items, padding)
    return (await trial.drain()).calls.length
  }
  const check = (): void => {
    const entries = SCENARIO.map(([items]) => items)
    expect(world.broker.records).toHaveLength(expected(entries))
    expect(new Set(world.broker.ids).size).toBe(world.broker.ids.length)
    expect(world.broker.records.map(({ topic }) => topic)).toEqual(firstArrivals(entries))
    expect(world.breaches).toEqual([])
  }

  it.each(['before', 'after'] as const)('may be the last of the process: death %s its effect', async (when) => {
    const calls = await countCalls()
    expect(calls).toBeGreaterThan(25)
    for (let last = 1; last <= calls; last++) {
      world = new World()
      for (const [items, padding] of SCENARIO) await world.append(items, padding)
      const mortal = new Process(world, (call) => (call === last ? { when, what: 'death' } : undefined))
      await world.until(() => mortal.dead || world.journal.entries.length === 0)
      await world.drain()
      check()
    }
  })

  it.each(['before', 'after'] as const)('may fail %s its effect, and the flow goes on', async (when) => {
    const calls = await countCalls()
    for (let bad = 1; bad <= calls; bad++) {
      world = new World()
      for (const [items, padding] of SCENARIO) await world.append(items, padding)
      await world.drain(new Process(world, (call) => (call === bad ? { when, what: doubt } : undefined)))
      check()
    }
  })

  it('may be the one during which the signal comes: nothing is left inconsistent', async () => {
    const calls = await countCalls()
    for (let stopAt = 1; stopAt <= calls; stopAt++) {
      world = new World()
      for (const [items, padding] of SCENARIO) await world.append(items, padding)
      const process: Process = new Process(world, (call) => {
        if (call === stopAt) process.stop.abort()
        return undefined
      })
      await world.until(() => process.over || world.journal.entries.length === 0)
      process.stop.abort()
      await process.ended
      await world.drain()
      check()
    }
  })
})

describe('any entries, failing and dying at any calls', () => {
  const item: fc.Arbitrary<ItemSpec> = fc.oneof(
    fc.record({ kind: fc.constant('dlr' as const), id: fc.constantFrom('a', 'b', 'c', 'd'), final: fc.boolean() }),
    fc.record({ kind: fc.constant('mo' as const), id: fc.option(fc.constantFrom('m', 'n')) }),
    fc.constant(dead),
  )
  const entry = fc.record({
    items: fc.array(item, { maxLength: 6 }),
    padding: fc.constantFrom(0, 0, MIB, 4 * MIB),
    /** Arrives once this many calls were made. */
    at: fc.nat(40),
  })
  const trouble = fc.record({
    call: fc.integer({ min: 1, max: 40 }),
    when: fc.constantFrom('before' as const, 'after' as const),
    what: fc.constantFrom('death' as const, doubt, new ConnectorError('JOURNAL_WRITE_FAILED', 'no room')),
  })

  it('commit each identity once, and each arrival without one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { minLength: 1, maxLength: 12 }),
        fc.array(fc.array(trouble, { maxLength: 5 }), { maxLength: 4 }),
        async (entries, lives) => {
          world = new World()
          const arrived: (readonly ItemSpec[])[] = []
          const toCome = [...entries].sort((a, b) => a.at - b.at)
          const arrive = (now: number): void => {
            while (toCome[0] !== undefined && toCome[0].at <= now) {
              const { items, padding } = toCome.shift()!
              arrived.push(items)
              void world.append(items, padding)
            }
          }
          arrive(5)
          for (const troubles of lives) {
            const process = new Process(world, (call) => {
              arrive(call)
              return troubles.find((one) => one.call === call)
            })
            await world.until(() => process.dead || world.journal.entries.length === 0)
            process.stop.abort()
            await world.until(() => process.dead || process.over)
          }
          arrive(Infinity)
          await world.drain()
          expect(world.broker.records).toHaveLength(expected(arrived))
          expect(new Set(world.broker.ids).size).toBe(world.broker.ids.length)
          expect(world.broker.records.map(({ topic }) => topic)).toEqual(firstArrivals(arrived))
          expect(world.breaches).toEqual([])
        },
      ),
      { numRuns: Number(process.env['MODEL_RUNS'] ?? 150) },
    )
  })
})
