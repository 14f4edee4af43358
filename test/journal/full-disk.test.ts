/** A disk without room: nothing is acknowledged and lost, and what can't be had twice still finds a place. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LmdbJournal, LmdbJournalOptions } from '../../src/journal/lmdb-journal.js'
import { entryOf } from './journal-contract.js'
import { Journals, MIB } from './support/journals.js'
import { mountError, SmallDisk } from '../../dev/fault-injection/small-disk.js'

vi.setConfig({ testTimeout: 60_000 })

const NO_UPDATES = { occurrences: [], watchChanges: [] }
const ALL = { entries: 1e6, bytes: 1e12 }
const RESERVE = 3 * MIB

describe.skipIf(mountError !== null)(`a full disk${mountError === null ? '' : ` (${mountError})`}`, () => {
  const journals = new Journals()
  let disk: SmallDisk
  let directory: string
  let trouble: string[]
  let unhandled: unknown[]
  const keep = (reason: unknown): void => void unhandled.push(reason)

  beforeEach(() => {
    disk = new SmallDisk(24 * MIB)
    directory = join(disk.path, 'journal')
    trouble = []
    unhandled = []
    process.on('unhandledRejection', keep)
    // lmdb-js writes each failure to the console as well.
    vi.spyOn(console, 'error').mockReturnValue()
  })

  afterEach(async () => {
    await journals.dispose()
    disk.unmount()
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate)
    process.off('unhandledRejection', keep)
    vi.restoreAllMocks()
    expect(unhandled).toEqual([])
  })

  const open = (options: Partial<LmdbJournalOptions> = {}): Promise<LmdbJournal> =>
    journals.open(directory, { reserveBytes: RESERVE, onWarning: (message) => trouble.push(message), ...options })

  const callback = (size: number, name = 'callback') => entryOf(Buffer.alloc(size), { source: name })
  const page = (size: number, name = 'page') => entryOf(Buffer.alloc(size), { source: name, via: 'PULL' })

  const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => 'done',
      (error: { code?: unknown }) => error.code,
    )

  const namesOf = (journal: LmdbJournal): string[] => journal.read(-1, ALL).map(({ source }) => source)

  it('loses nothing that was acknowledged, and says why it takes no more', async () => {
    const journal = await open()
    const acknowledged = new Set<string>()
    const codes = new Set<unknown>()
    await Promise.all(
      Array.from({ length: 16 }, async (_, writer) => {
        for (let i = 0; i < 80; i++) {
          const name = `${writer}.${i}`
          const nonce = i % 3 === 0 ? { key: name, expiresAt: journals.clock.now() + 60_000 } : undefined
          const code = await codeOf(journal.append(callback((i % 7) * 10_000, name), nonce))
          if (code === 'done') acknowledged.add(name)
          else codes.add(code)
        }
      }),
    )
    expect([...codes].sort()).toEqual(['JOURNAL_FULL', 'JOURNAL_WRITE_FAILED'])
    expect(journal.refusalReason()).toBe(`the disk that holds ${directory} refuses writes; free space on it`)
    expect(journal.hasRoomFor(1)).toBe(false)
    expect(namesOf(journal).sort()).toEqual([...acknowledged].sort())
    expect(acknowledged.size).toBeGreaterThan(100)

    await journals.close(journal)
    expect(namesOf(await open()).sort()).toEqual([...acknowledged].sort())
  })

  it('acknowledges nothing that it does not hold, whatever lmdb-js says of the writes of one turn', async () => {
    const journal = await open({ reserveBytes: 0 })
    const acknowledged = new Map<number, number>()
    for (let n = 0, refusals = 0; refusals < 4;) {
      let refused = 0
      const outcomes = Array.from({ length: 500 }, async () => {
        const name = n++
        try {
          const nonce = { key: `nonce ${name}`, expiresAt: journals.clock.now() + 60_000 }
          acknowledged.set(name, await journal.append(callback(200 + name), nonce))
        } catch {
          refused++
        }
      })
      await Promise.all(outcomes)
      if (refused > 0) refusals++
      await journals.clock.advance(2_000)
    }
    const held = new Set(journal.read(-1, ALL).map(({ seq }) => seq))
    expect([...acknowledged.values()].filter((seq) => !held.has(seq))).toEqual([])
    expect(held.size).toBe(acknowledged.size)
  })

  it('finds room for a page in hand, for a release, and for what is watched', async () => {
    const journal = await open()
    const first = await journal.append(callback(10))
    await journal.recover(-1)
    disk.fill()
    expect(await codeOf(journal.append(callback(MIB)))).toBe('JOURNAL_WRITE_FAILED')
    expect(await codeOf(journal.append(callback(10)))).toBe('JOURNAL_FULL')
    await journal.append(page(RESERVE / 2))
    const seen = [{ eventId: 'id', seq: first, place: 0, receivedAt: journals.clock.now() }]
    await journal.release(first, { occurrences: seen, watchChanges: [] })
    await journal.watchList.add('s', ['m'], 1)
    expect(namesOf(journal)).toEqual(['page'])
    expect(journal.findFirstSeen('id')).toBeDefined()
    expect([...journal.watchList.list('s')]).toHaveLength(1)
  })

  it('finds it also for a page whose write fails together with a callback', async () => {
    const journal = await open()
    disk.fill()
    const outcomes = await Promise.all([
      codeOf(journal.append(callback(MIB))),
      codeOf(journal.append(page(MIB / 2))),
      codeOf(journal.append(callback(10), { key: 'n', expiresAt: journals.clock.now() + 60_000 })),
      codeOf(journal.append(page(MIB / 2))),
    ])
    expect(outcomes).toEqual(['JOURNAL_WRITE_FAILED', 'done', 'JOURNAL_WRITE_FAILED', 'done'])
    expect(namesOf(journal)).toEqual(['page', 'page'])
    // The refused callback has burnt no nonce.
    disk.makeRoom()
    await journals.clock.advance(2_000)
    expect(await codeOf(journal.append(callback(10), { key: 'n', expiresAt: Infinity }))).toBe('done')
  })

  it('finds the first write of a position, and the renumbering, room', async () => {
    const journal = await open()
    const last = await journal.append(page(1000, 'a'))
    await journal.append(page(1000, 'b'))
    disk.fill()
    const position = last + 1_000_000
    expect(await journal.recover(position)).toBe(position)
    expect(journal.read(position, ALL).map(({ source }) => source)).toEqual(['a', 'b'])
  })

  it('has it after a restart in the middle of it, too', async () => {
    await journals.close(await open())
    disk.fill()
    const journal = await open()
    expect(trouble).toEqual([])
    await journal.append(page(RESERVE / 2))
    expect(existsSync(join(directory, 'reserve.bin'))).toBe(false)
  })

  it('refuses a page that finds no room at all, for as long as that is so, and counts it once', async () => {
    const journal = await open()
    disk.fill()
    const before = journal.stats().bytes
    for (let attempt = 0; attempt < 20; attempt++) {
      expect(await codeOf(journal.append(page(8 * MIB)))).toBe('JOURNAL_WRITE_FAILED')
    }
    expect(journal.stats().bytes).toBe(before)
    disk.makeRoom()
    await journal.append(page(8 * MIB))
    expect(namesOf(journal)).toEqual(['page'])
  })

  it('says so once, and is quiet and still until there is room; then the reserve is back', async () => {
    const journal = await open()
    disk.fill()
    await codeOf(journal.append(callback(MIB)))
    for (let second = 0; second < 600; second++) {
      await journals.clock.advance(1_000)
      expect(await codeOf(journal.append(callback(10)))).toBe('JOURNAL_FULL')
      expect(journal.refusalReason()).not.toBeNull()
    }
    expect(trouble).toEqual(['a journal write failed'])
    disk.makeRoom()
    await journals.clock.advance(1_999)
    await journals.clock.advance(1)
    expect(journal.refusalReason()).toBeNull()
    expect(trouble).toEqual(['a journal write failed', 'the disk takes journal writes again'])
    expect(existsSync(join(directory, 'reserve.bin'))).toBe(true)
    expect(journal.hasRoomFor(MIB)).toBe(true)
    await journal.append(callback(MIB))
  })

  it('that the journal itself has filled is no end: its file has room again once all is released', async () => {
    const journal = await open()
    await journal.recover(-1)
    for (let round = 0; round < 3; round++) {
      while (journal.refusalReason() === null) await codeOf(journal.append(callback(MIB / 2)))
      const last = journal.read(-1, ALL).at(-1)!
      await journal.release(last.seq, NO_UPDATES)
      await journals.clock.advance(2_000)
      expect(journal.refusalReason()).toBeNull()
      expect(journal.hasRoomFor(64 * MIB)).toBe(true)
    }
    await journal.append(page(MIB))
    expect(namesOf(journal)).toEqual(['page'])
  })

  it('has no room for an answer when there is little left, and none is asked for', async () => {
    const journal = await open()
    expect(journal.hasRoomFor(64 * MIB)).toBe(true)
    disk.fill(4 * MIB)
    expect(journal.refusalReason()).toBeNull()
    expect(journal.hasRoomFor(64 * MIB)).toBe(false)
  })

  it('has no room for a second answer while the first, which may take it all, is under way', async () => {
    const journal = await open()
    const here = journal.reserveRoom(64 * MIB)
    expect(journal.hasRoomFor(MIB)).toBe(false)
    here()
    here()
    expect(journal.hasRoomFor(MIB)).toBe(true)
    expect(journal.hasRoomFor(64 * MIB)).toBe(true)
  })
})
