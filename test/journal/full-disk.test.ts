/** A full disk: no acknowledged entry is lost, and a page of a destructive queue still finds room. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LmdbJournal, LmdbJournalOptions } from '../../src/journal/lmdb-journal.js'
import { turnUntilIdle } from '../support/event-loop.js'
import { entryOf } from './journal-contract.js'
import { Journals, MIB } from './support/journals.js'
import { mountError, SmallDisk } from '../../dev/fault-injection/small-disk.js'
import { RecordingLog } from '../support/recording-observers.js'

vi.setConfig({ testTimeout: 60_000 })

const NO_UPDATES = { occurrences: [], watchChanges: [] }
const ALL = { entries: 1e6, bytes: 1e12 }
const RESERVE = 3 * MIB
const WRITE_FAILED = 'a write of the journal failed; callbacks are refused until the disk takes writes again'

const title = `Journal on a full disk${mountError === null ? '' : ` (${mountError})`}`

describe.skipIf(mountError !== null)(title, () => {
  const journals = new Journals()
  let disk: SmallDisk
  let directory: string
  let log: RecordingLog
  let unhandled: unknown[]
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason)

  beforeEach(() => {
    disk = new SmallDisk(24 * MIB)
    directory = join(disk.path, 'journal')
    log = new RecordingLog()
    unhandled = []
    process.on('unhandledRejection', onUnhandled)
    // lmdb-js also writes each failure to the console.
    vi.spyOn(console, 'error').mockReturnValue()
  })

  afterEach(async () => {
    await journals.dispose()
    disk.unmount()
    // Node reports an unhandled rejection some turns after it happened.
    await turnUntilIdle()
    process.off('unhandledRejection', onUnhandled)
    vi.restoreAllMocks()
    expect(unhandled).toEqual([])
  })

  const open = (options: Partial<LmdbJournalOptions> = {}): Promise<LmdbJournal> =>
    journals.open(directory, { reserveBytes: RESERVE, log, ...options })

  const callback = (size: number, name = 'callback') => entryOf(Buffer.alloc(size), { source: name })
  const page = (size: number, name = 'page') => entryOf(Buffer.alloc(size), { source: name, via: 'PULL' })

  const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => 'done',
      (error: { code?: unknown }) => error.code,
    )

  const namesOf = (journal: LmdbJournal): string[] => journal.read(-1, ALL).map(({ source }) => source)

  it.each([0, 4_096, 12_288, 16_384, 65_536, MIB - 4_096])(
    'refuses to begin a new journal with %i bytes free, with an error that says what to do',
    async (freeBytes) => {
      disk.fill(freeBytes)
      const opening = open()
      await expect(opening).rejects.toMatchObject({ code: 'JOURNAL_UNUSABLE' })
      await expect(opening).rejects.toThrow(/a new journal needs 1048576; free space on this disk, or enlarge it/)
      disk.makeRoom()
      expect((await open()).refusalReason()).toBeNull()
    },
  )

  it.each([0, 4_096, 8_192, 12_288, 65_536])(
    'opens a journal whose lock file was removed with %i bytes free, or fails with an error',
    async (freeBytes) => {
      const journal = await open({ reserveBytes: 0 })
      await journal.append(callback(10, 'first'))
      await journals.close(journal)
      rmSync(join(directory, 'lmdb', 'lock.mdb'))
      disk.fill(freeBytes)
      const code = await codeOf(open({ reserveBytes: 0 }))
      expect(['done', 'JOURNAL_UNUSABLE']).toContain(code)
      disk.makeRoom()
      await journals.dispose()
      expect(namesOf(await open())).toEqual(['first'])
    },
  )

  it('loses no acknowledged entry, and gives the reason why it takes no more', async () => {
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

  it('acknowledges only entries that it holds, whatever lmdb-js reports about the writes of one turn', async () => {
    const journal = await open({ reserveBytes: 0 })
    const acknowledged = new Map<number, number>()
    let appended = 0
    let turnsWithRefusals = 0
    while (turnsWithRefusals < 4) {
      let refused = 0
      const outcomes = Array.from({ length: 500 }, async () => {
        const name = appended
        appended++
        try {
          const nonce = { key: `nonce ${name}`, expiresAt: journals.clock.now() + 60_000 }
          acknowledged.set(name, await journal.append(callback(200 + name), nonce))
        } catch {
          refused++
        }
      })
      await Promise.all(outcomes)
      if (refused > 0) turnsWithRefusals++
      await journals.clock.advance(2_000)
    }
    const held = new Set(journal.read(-1, ALL).map(({ seq }) => seq))
    expect([...acknowledged.values()].filter((seq) => !held.has(seq))).toEqual([])
    expect(held.size).toBe(acknowledged.size)
  })

  it('has room for a page of a destructive queue, for a release, and for the watch list', async () => {
    const journal = await open()
    const first = await journal.append(callback(10))
    await journal.recover(-1)
    disk.fill()
    expect(await codeOf(journal.append(callback(MIB)))).toBe('JOURNAL_WRITE_FAILED')
    expect(await codeOf(journal.append(callback(10)))).toBe('JOURNAL_FULL')
    await journal.append(page(RESERVE / 2))
    const occurrences = [{ eventId: 'id', seq: first, itemIndex: 0, receivedAt: journals.clock.now() }]
    await journal.release(first, { occurrences, watchChanges: [] })
    await journal.watchList.add('s', ['m'], 1)
    expect(namesOf(journal)).toEqual(['page'])
    expect(journal.findFirstSeen('id')).toBeDefined()
    expect([...journal.watchList.list('s')]).toHaveLength(1)
  })

  it('has room for a page whose write fails together with that of a callback', async () => {
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
    // The refused callback has not used its nonce.
    disk.makeRoom()
    await journals.clock.advance(2_000)
    expect(await codeOf(journal.append(callback(10), { key: 'n', expiresAt: Infinity }))).toBe('done')
  })

  it('has room for a recovery that renumbers entries', async () => {
    const journal = await open()
    const last = await journal.append(page(1000, 'a'))
    await journal.append(page(1000, 'b'))
    disk.fill()
    const position = last + 1_000_000
    expect(await journal.recover(position)).toBe(position)
    expect(journal.read(position, ALL).map(({ source }) => source)).toEqual(['a', 'b'])
  })

  it('has room for a page after a restart on the full disk', async () => {
    await journals.close(await open())
    disk.fill()
    const journal = await open()
    expect(log.messages).toEqual([])
    await journal.append(page(RESERVE / 2))
    expect(existsSync(join(directory, 'reserve.bin'))).toBe(false)
  })

  it('refuses a page that has no room, as often as it is tried, and does not count it', async () => {
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

  it('warns once, refuses callbacks until there is room, and then restores the reserve', async () => {
    const journal = await open()
    disk.fill()
    await codeOf(journal.append(callback(MIB)))
    for (let second = 0; second < 600; second++) {
      await journals.clock.advance(1_000)
      expect(await codeOf(journal.append(callback(10)))).toBe('JOURNAL_FULL')
      expect(journal.refusalReason()).not.toBeNull()
    }
    expect(log.messages).toEqual([WRITE_FAILED])
    disk.makeRoom()
    await journals.clock.advance(1_999)
    await journals.clock.advance(1)
    expect(journal.refusalReason()).toBeNull()
    expect(log.messages).toEqual([WRITE_FAILED, 'the disk takes writes of the journal again'])
    expect(existsSync(join(directory, 'reserve.bin'))).toBe(true)
    expect(journal.hasRoomFor(MIB)).toBe(true)
    await journal.append(callback(MIB))
  })

  it('takes entries again after a release if the journal itself has filled the disk', async () => {
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

  it('reports no room for an answer while little of the disk is free', async () => {
    const journal = await open()
    expect(journal.hasRoomFor(64 * MIB)).toBe(true)
    disk.fill(4 * MIB)
    expect(journal.refusalReason()).toBeNull()
    expect(journal.hasRoomFor(64 * MIB)).toBe(false)
  })

  it('reports the bytes that the disk leaves for callbacks if that is less than the limit leaves', async () => {
    const journal = await open()
    const before = journal.custodyRoom().freeBytes
    expect(before).toBeLessThan(24 * MIB)
    disk.fill(4 * MIB)
    const { freeBytes, refusal } = journal.custodyRoom()
    expect(refusal).toBeNull()
    expect(freeBytes).toBeLessThan(5 * MIB)
    expect(freeBytes).toBeGreaterThan(3 * MIB)
  })

  it('reports no room for a second answer while room is reserved for the first', async () => {
    const journal = await open()
    const endReservation = journal.reserveRoom(64 * MIB)
    expect(journal.hasRoomFor(MIB)).toBe(false)
    endReservation()
    endReservation()
    expect(journal.hasRoomFor(MIB)).toBe(true)
    expect(journal.hasRoomFor(64 * MIB)).toBe(true)
  })
})
