import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LmdbJournal } from '../../src/journal/lmdb-journal.js'
import { ManualClock } from '../support/manual-clock.js'

let folder: string
let journal: LmdbJournal

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'watch-list-'))
  journal = await LmdbJournal.open({
    directory: folder,
    maxBytes: 64 * 1024 * 1024,
    maxWatchedMessages: 10,
    reserveBytes: 0,
    duplicates: { rememberForMs: 1_000, maxIds: 100 },
    clock: new ManualClock(),
  })
})
afterEach(async () => {
  await journal.close()
  rmSync(folder, { recursive: true, force: true })
})

const ids = (from: number, count: number): string[] => Array.from({ length: count }, (_, at) => `m${from + at}`)
const open = (from: number, count: number) =>
  ids(from, count).map((messageId) => ({ source: 's', messageId, receivedAt: 1, state: 'open' as const }))

describe('The watch list with a limit of 10 messages', () => {
  it('adds all messages of a request or none, and counts those that it did not add', async () => {
    const { watchList } = journal
    await watchList.add('s', ids(0, 8), 1)
    expect([watchList.hasRoomFor(2), watchList.hasRoomFor(3)]).toEqual([true, false])
    await watchList.add('s', ids(8, 3), 1)
    await watchList.add('t', ids(8, 2), 1)
    expect(watchList.usage()).toEqual({ messages: 10, maxMessages: 10, notAdded: 3 })
  })

  it('counts the messages of requests that are under way', async () => {
    const { watchList } = journal
    const first = watchList.add('s', ids(0, 6), 1)
    const second = watchList.add('s', ids(6, 6), 1)
    await Promise.all([first, second])
    expect(watchList.usage()).toEqual({ messages: 6, maxMessages: 10, notAdded: 6 })
  })

  it('takes as many messages of receipts as there is room for, and again when others are closed', async () => {
    const { watchList } = journal
    await journal.recordPublished([], open(0, 12))
    expect(watchList.usage()).toEqual({ messages: 10, maxMessages: 10, notAdded: 2 })
    await journal.recordPublished([], [{ source: 's', messageId: 'm0', receivedAt: 1, state: 'closed' }])
    await journal.recordPublished([], open(20, 1))
    expect(watchList.has('s', 'm20')).toBe(true)
    expect(watchList.usage().messages).toBe(10)
  })
})
