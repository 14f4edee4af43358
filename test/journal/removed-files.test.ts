/** Files of the journal that are removed, moved or replaced while the process has them open. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LmdbJournal } from '../../src/journal/lmdb-journal.js'
import { RecordingLog } from '../support/recording-observers.js'
import { entryOf } from './journal-contract.js'
import { Journals, MIB } from './support/journals.js'

const NO_UPDATES = { occurrences: [], watchChanges: [] }
const ALL = { entries: 1e6, bytes: 1e12 }
/** Longer than a look at the data file counts. */
const NEXT_CHECK_MS = 20

const journals = new Journals()
let directory: string
let journal: LmdbJournal
let log: RecordingLog

beforeEach(async () => {
  directory = join(journals.directory(), 'journal')
  log = new RecordingLog()
  journal = await journals.open(directory, { reserveBytes: 3 * MIB, log })
  await journal.recover(-1)
  await journal.append(entryOf(Buffer.from('before')))
})
afterEach(() => journals.dispose())

const append = (via: 'CALLBACK' | 'PULL' | 'QUERY', body = Buffer.from(via)): Promise<number> =>
  journal.append(entryOf(body, { via }))
const bodies = (): string[] => journal.read(-1, ALL).map(({ body }) => Buffer.from(body).toString())
const remove = (...names: string[]): void => rmSync(join(directory, ...names), { recursive: true })

describe.each<[string, RegExp, () => void | Promise<void>]>([
  ['the directory is removed', /was removed/, () => remove()],
  ['the folder of LMDB is removed', /was removed/, () => remove('lmdb')],
  ['the data file is removed', /was removed/, () => remove('lmdb', 'data.mdb')],
  ['the directory is moved', /was removed/, () => renameSync(directory, `${directory}.moved`)],
  [
    'an empty directory takes its place',
    /was removed/,
    () => {
      remove()
      mkdirSync(directory)
    },
  ],
  [
    'another journal takes its place',
    /was replaced by another file/,
    async () => {
      remove()
      await journals.close(await journals.open(directory))
    },
  ],
  [
    'a file takes the place of the directory',
    /can't be reached|was removed/,
    () => {
      remove()
      writeFileSync(directory, '')
    },
  ],
])('While %s, the journal', (_what, event, change) => {
  beforeEach(async () => {
    await change()
    await journals.clock.advance(NEXT_CHECK_MS)
  })

  it('takes nothing into custody whose sender still has it, and says why, each time', async () => {
    for (let attempt = 0; attempt < 3; attempt++) {
      for (const via of ['CALLBACK', 'QUERY'] as const) {
        const refused = append(via)
        await expect(refused).rejects.toMatchObject({ code: 'JOURNAL_WRITE_FAILED' })
        await expect(refused).rejects.toThrow(event)
      }
      expect(journal.refusalReason()).toMatch(event)
      expect(journal.refusalReason()).toContain(join(directory, 'lmdb', 'data.mdb'))
      expect(journal.hasRoomFor(1)).toBe(false)
      await journals.clock.advance(3_000)
    }
    expect(log.messages).toEqual([expect.stringMatching(event)])
    expect(bodies()).toEqual(['before'])
  })

  it('publishes what it holds from the open file, a page that was under way included', async () => {
    const seq = await append('PULL', Buffer.alloc(MIB, 'p'))
    expect(bodies()).toEqual(['before', 'p'.repeat(MIB)])
    expect(journal.stats().entries).toBe(2)
    await journal.release(seq, NO_UPDATES)
    expect(journal.stats().entries).toBe(0)
    await journal.recordPublished([{ eventId: 'id', receivedAt: 0 }], [])
    expect(journal.findFirstSeen('id')).toBeDefined()
  })

  it('is closed without an error', async () => {
    await journals.close(journal)
  })
})

describe('The journal whose directory was moved', () => {
  it('takes entries into custody again when it is back, and keeps all of them', async () => {
    renameSync(directory, `${directory}.moved`)
    await journals.clock.advance(NEXT_CHECK_MS)
    await expect(append('CALLBACK')).rejects.toThrow(/was removed/)
    await append('PULL')
    renameSync(`${directory}.moved`, directory)
    await journals.clock.advance(NEXT_CHECK_MS)
    await append('CALLBACK')
    expect(journal.refusalReason()).toBeNull()
    expect(log.messages).toEqual([expect.stringMatching(/was removed/), expect.stringMatching(/is in its place again/)])
    await journals.close(journal)
    journal = await journals.open(directory)
    expect(bodies()).toEqual(['before', 'PULL', 'CALLBACK'])
  })
})

describe('The journal without one of its other files', () => {
  it('takes entries into custody, releases them and can be opened again', async () => {
    const others = readdirSync(directory).filter((name) => name !== 'lmdb')
    expect(others.length).toBeGreaterThan(1)
    for (const path of [...others, join('lmdb', 'lock.mdb')]) {
      remove(path)
      await journals.clock.advance(NEXT_CHECK_MS)
      const seq = await append('CALLBACK')
      expect(journal.refusalReason()).toBeNull()
      await journal.release(seq, NO_UPDATES)
    }
    await append('PULL')
    await journals.close(journal)
    journal = await journals.open(directory, { reserveBytes: 3 * MIB })
    expect(bodies()).toEqual(['PULL'])
    expect(existsSync(join(directory, 'reserve.bin'))).toBe(true)
    expect(log.messages).toEqual([])
  })
})
