/** Sequence numbers, and what a journal holds when it is opened again, with a clock that was set back or as an old copy. */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openEnvironment } from '../../src/journal/environment.js'
import type { LmdbJournal } from '../../src/journal/lmdb-journal.js'
import { entryOf } from './journal-contract.js'
import { Journals } from './support/journals.js'

const HOUR = 3_600_000
const ALL = { entries: 1000, bytes: 1e9 }
const NO_UPDATES = { occurrences: [], watchChanges: [] }

const journals = new Journals()
let directory: string

beforeEach(() => {
  directory = journals.directory()
})
afterEach(() => journals.dispose())

const append = (journal: LmdbJournal, ...names: string[]): Promise<number[]> =>
  Promise.all(names.map((name) => journal.append(entryOf(name))))

const namesOf = (journal: LmdbJournal, after = -1): string[] =>
  journal.read(after, ALL).map(({ body }) => Buffer.from(body).toString())

const numbersOf = (journal: LmdbJournal): number[] => journal.read(-1, ALL).map(({ seq }) => seq)

/** Copies the files of a journal that is open, as a crash would leave them. */
function copyAfterCrash(from: string): string {
  const copy = journals.directory()
  cpSync(join(from, 'lmdb', 'data.mdb'), join(copy, 'lmdb', 'data.mdb'))
  return copy
}

describe('Sequence numbers', () => {
  it('begin at the wall clock in microseconds', async () => {
    const journal = await journals.open(directory)
    const [first] = await append(journal, 'a')
    expect(first).toBe(journals.clock.now() * 1000)
  })

  it('continue behind the last one if the clock was set back', async () => {
    let journal = await journals.open(directory)
    const [, last] = await append(journal, 'a', 'b')
    await journals.close(journal)
    journals.clock.jumpTo(journals.clock.now() - HOUR)
    journal = await journals.open(directory)
    expect(await append(journal, 'c')).toEqual([last! + 1])
  })

  it('continue behind the last one also if the journal is empty', async () => {
    let journal = await journals.open(directory)
    const [, last] = await append(journal, 'a', 'b')
    await journal.recover(-1)
    await journal.release(last!, NO_UPDATES)
    await journals.close(journal)
    journals.clock.jumpTo(journals.clock.now() - HOUR)
    journal = await journals.open(directory)
    expect(journal.releasedUpTo).toBe(last)
    expect(await append(journal, 'c')).toEqual([last! + 1])
  })
})

describe('A journal that is opened again', () => {
  it('has the same id, and one in another directory has another', async () => {
    const journal = await journals.open(directory)
    const { id } = journal
    await journals.close(journal)
    expect((await journals.open(directory)).id).toBe(id)
    expect((await journals.open(journals.directory())).id).not.toBe(id)
    expect((await journals.open(copyAfterCrash(directory))).id).toBe(id)
  })

  it('remembers nonces, first occurrences, watched messages and the last released number', async () => {
    const occurrence = { eventId: 'id', itemIndex: 3, receivedAt: journals.clock.now() }
    const nonce = { key: 'n', expiresAt: journals.clock.now() + HOUR }
    const first = await journals.open(directory)
    const seq = await first.append(entryOf('a'), nonce)
    await append(first, 'b')
    await first.recover(-1)
    const watch = { source: 's', messageId: 'm', receivedAt: 7, state: 'open' } as const
    await first.release(seq, { occurrences: [{ ...occurrence, seq }], watchChanges: [watch] })
    await first.watchList.markAsked('s', ['m'], 9)

    for (const again of [copyAfterCrash(directory), directory]) {
      if (again === directory) await journals.close(first)
      const journal = await journals.open(again)
      expect(namesOf(journal)).toEqual(['b'])
      expect(journal.releasedUpTo).toBe(seq)
      expect(journal.findFirstSeen('id')).toEqual({ seq, itemIndex: 3 })
      expect([...journal.watchList.list('s')]).toEqual([{ messageId: 'm', since: 7, lastAskedAt: 9 }])
      await expect(journal.append(entryOf(), nonce)).rejects.toMatchObject({ code: 'NONCE_SEEN' })
    }
  })

  it.each(['walked topics s', 'followed s'] as const)(
    'reads the time up to which an earlier build had read the topics from the key "%s"',
    async (key) => {
      const env = openEnvironment(directory)
      await env.meta.put(key, 7)
      await env.root.close()
      const journal = await journals.open(directory)
      expect(journal.followedUpTo('s')).toBe(7)
      expect(journal.topicProgress('s')).toBeUndefined()
    },
  )

  it('keeps how far the topics were read', async () => {
    const progress = { dlr: { topicId: 'an-id', offsets: [1, 2] } }
    const first = await journals.open(directory)
    await first.recordTopicProgress(['s'], progress)
    await journals.close(first)
    expect((await journals.open(directory)).topicProgress('s')).toEqual(progress)
  })
})

/**
 * The worst case for sequence numbers: the journal advanced to `position`, and then an old copy of it was restored while
 * the clock was set back. The next entries of the copy get numbers that the broker knows for other entries.
 */
describe('An old copy of a journal that is restored while the clock is set back', () => {
  let position: number

  beforeEach(async () => {
    const original = await journals.open(directory)
    await original.recover(-1)
    await append(original, 'committed since')
    const copy = copyAfterCrash(directory)
    journals.clock.jumpTo(journals.clock.now() + HOUR)
    await journals.close(original)
    const later = await journals.open(directory)
    const [, last] = await append(later, 'gone 1', 'gone 2')
    position = last!
    await journals.close(later)
    rmSync(directory, { recursive: true })
    directory = copy
    journals.clock.jumpTo(journals.clock.now() - 2 * HOUR)
  })

  it('moves entries that have arrived above the position, in order', async () => {
    const journal = await journals.open(directory)
    expect(Math.max(...(await append(journal, 'x', 'y')))).toBeLessThan(position)
    expect(await journal.recover(position)).toBe(position)
    expect(namesOf(journal, position)).toEqual(['x', 'y'])
    // The broker has committed the entry that the journal held when it was copied.
    expect(namesOf(journal)).toEqual(['committed since', 'x', 'y'])
  })

  it('moves entries that arrive during the recovery above the position, in order', async () => {
    const journal = await journals.open(directory)
    const [x] = await append(journal, 'x')
    const writers = [0, 1, 2, 3, 4, 5, 6, 7].map(async (writer) => {
      for (let i = 0; i < 20; i++) await append(journal, `${writer}.${i}`)
    })
    // The recovery begins when the first of these appends are durable and others are pending.
    await journal.waitForEntry(x!, new AbortController().signal)
    await journal.recover(position)
    await Promise.all(writers)
    const names = namesOf(journal, position)
    expect(names).toHaveLength(161)
    expect(new Set(names).size).toBe(161)
    expect(names[0]).toBe('x')
    for (let writer = 0; writer < 8; writer++) {
      const own = names.filter((name) => name.startsWith(`${writer}.`))
      expect(own).toEqual(Array.from({ length: 20 }, (_, i) => `${writer}.${i}`))
    }
  })

  it('moves also the entries of an earlier run that did not read the position', async () => {
    const first = await journals.open(directory)
    await append(first, 'x')
    const second = await journals.open(copyAfterCrash(directory))
    await append(second, 'y')
    await second.recover(position)
    expect(namesOf(second, position)).toEqual(['x', 'y'])
  })

  it('moves new entries also if an earlier run had the right clock and appended nothing', async () => {
    journals.clock.jumpTo(journals.clock.now() + 3 * HOUR)
    await journals.close(await journals.open(directory))
    journals.clock.jumpTo(journals.clock.now() - 3 * HOUR)
    const journal = await journals.open(directory)
    expect(Math.max(...(await append(journal, 'x')))).toBeLessThan(position)
    await journal.recover(position)
    expect(namesOf(journal, position)).toEqual(['x'])
  })

  it('renumbers nothing twice if it crashes after the recovery', async () => {
    const first = await journals.open(directory)
    await append(first, 'x', 'y')
    await first.recover(position)
    const numbers = numbersOf(first)
    const second = await journals.open(copyAfterCrash(directory))
    await append(second, 'z')
    expect(await second.recover(position)).toBe(position)
    expect(numbersOf(second).slice(0, 3)).toEqual(numbers)
    expect(namesOf(second, position)).toEqual(['x', 'y', 'z'])
  })

  it('does not renumber entries that were committed under their new numbers before a crash', async () => {
    const first = await journals.open(directory)
    await append(first, 'x', 'y')
    await first.recover(position)
    const [z] = await append(first, 'z')
    const second = await journals.open(copyAfterCrash(directory))
    expect(await second.recover(z!)).toBe(z)
    expect(namesOf(second, z)).toEqual([])
    expect(numbersOf(second)).toEqual(numbersOf(first))
  })

  it('gives later entries numbers above the position also if nothing had to move', async () => {
    const journal = await journals.open(directory)
    await journal.recover(position)
    const [x] = await append(journal, 'x')
    expect(x).toBeGreaterThan(position)
  })
})

describe('A journal that is an older copy of itself', () => {
  let warnings: string[]
  beforeEach(() => {
    warnings = []
  })
  const open = (path: string): Promise<LmdbJournal> =>
    journals.open(path, { onOlderCopy: (warning) => warnings.push(warning) })
  const isOlderCopy = (last: number, position: number): unknown =>
    expect.stringMatching(
      new RegExp(`holds position ${position} of journal [0-9a-f]{18}, .* ends at ${last}: .*older copy`),
    )

  it('warns once, with the position and its own last number', async () => {
    const journal = await open(directory)
    await journal.recover(-1)
    const [, last] = await append(journal, 'a', 'b')
    const copy = copyAfterCrash(directory)
    const [position] = await append(journal, 'c')
    await journals.close(journal)
    const restored = await open(copy)
    await append(restored, 'd')
    await restored.recover(position!)
    await restored.recover(position!)
    expect(warnings).toEqual([isOlderCopy(last!, position!)])
    expect(namesOf(restored, position)).toEqual(['d'])
  })

  it('warns also if it holds nothing, and if the position lies inside an entry', async () => {
    const journal = await open(directory)
    await journal.recover(-1)
    const [last] = await append(journal, 'a')
    await journal.release(last!, NO_UPDATES)
    const copies = [copyAfterCrash(directory), copyAfterCrash(directory)]
    const [position] = await append(journal, 'b')
    await journals.close(journal)
    await (await open(copies[0]!)).recover(position!)
    await (await open(copies[1]!)).recover(position! - 1, true)
    expect(warnings).toEqual([isOlderCopy(last!, position!), isOlderCopy(last!, position!)])
  })

  it.each<[string, (journal: LmdbJournal, seqs: readonly number[]) => Promise<unknown>]>([
    ['a position before its entries', (journal) => journal.recover(0)],
    ['no position', (journal) => journal.recover(-1)],
    ['the position of an entry that was not released', (journal, seqs) => journal.recover(seqs.at(-1)!)],
    ['a position inside its last entry', (journal, seqs) => journal.recover(seqs.at(-1)! - 1, true)],
    [
      'the position of the last entry that was released',
      async (journal, seqs) => {
        await journal.release(seqs.at(-1)!, NO_UPDATES)
        await journals.close(journal)
        await (await open(directory)).recover(seqs.at(-1)!)
      },
    ],
  ])('does not warn of %s', async (_what, recover) => {
    let journal = await open(directory)
    await journal.recover(-1)
    const seqs = await append(journal, 'a', 'b')
    await journals.close(journal)
    journal = await open(directory)
    await append(journal, 'not yet published')
    await recover(journal, seqs)
    expect(warnings).toEqual([])
  })
})
