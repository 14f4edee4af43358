/**
 * `npx tsx bench/journal.ts [entries] [ids]`: the speed of the journal alone, on the disk of the temporary directory. An
 * entry is a callback of seven; an id is the event id of a receipt. Both numbers are a million by default.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/core/clock.js'
import type { NewEntry, EventOccurrence } from '../src/journal/journal.js'
import { LmdbJournal } from '../src/journal/lmdb-journal.js'

const [entries = 1_000_000, ids = 1_000_000] = process.argv.slice(2).map(Number)
const BATCH_ENTRIES = 5_000
const BATCH_BYTES = 64 * 1024 ** 2

const directory = mkdtempSync(join(tmpdir(), 'journal-bench-'))
const open = (): Promise<LmdbJournal> =>
  LmdbJournal.open({
    directory,
    maxBytes: 64 * 1024 ** 3,
    reserveBytes: 0,
    duplicates: { rememberForMs: 7 * 86_400_000, maxIds: ids },
    clock: systemClock,
  })

const entryOf = (n: number): NewEntry => ({
  source: 'seven-main',
  provider: 'seven',
  via: 'CALLBACK',
  receivedAt: Date.now(),
  facts: { method: 'GET', path: '/callbacks/seven-main', query: `msg_id=${77_149_843_739 + n}&status=DELIVERED` },
  body: new Uint8Array(),
})
const idOf = (n: number): string => createHash('sha256').update(String(n)).digest('hex').slice(0, 32)

const show = (what: string, value: string): void => console.log(`${what.padEnd(58)} ${value.padStart(16)}`)
const elapsed = (start: number): string => `${(performance.now() - start).toFixed(0)} ms`

async function measureAppends(journal: LmdbJournal, writers: number, milliseconds: number): Promise<void> {
  const start = performance.now()
  let count = 0
  const writer = async (): Promise<void> => {
    while (performance.now() - start < milliseconds) {
      await journal.append(entryOf(count))
      count++
    }
  }
  await Promise.all(Array.from({ length: writers }, writer))
  show(`appends, each durable, ${writers} at once`, `${Math.round((count / (performance.now() - start)) * 1000)}/s`)
}

async function appendAll(journal: LmdbJournal, count: number): Promise<void> {
  for (let at = 0; at < count; at += BATCH_ENTRIES) {
    await Promise.all(
      Array.from({ length: Math.min(BATCH_ENTRIES, count - at) }, (_, n) => journal.append(entryOf(at + n))),
    )
  }
}

let nextId = 0
async function releaseBatch(journal: LmdbJournal, idsPerEntry: number): Promise<void> {
  const read = journal.read(-1, { entries: BATCH_ENTRIES, bytes: BATCH_BYTES })
  const seen: EventOccurrence[] = []
  for (const { seq, receivedAt } of read) {
    for (let itemIndex = 0; itemIndex < idsPerEntry; itemIndex++) {
      seen.push({ eventId: idOf(nextId), seq, itemIndex, receivedAt })
      nextId++
    }
  }
  await journal.release(read.at(-1)!.seq, { occurrences: seen, watchChanges: [] })
}

try {
  let journal = await open()
  await journal.recover(-1)
  for (const writers of [1, 64, 512]) await measureAppends(journal, writers, 3000)

  await appendAll(journal, entries)
  const held = journal.stats().entries
  await journal.close()
  let start = performance.now()
  journal = await open()
  show(`opening a journal of ${held} entries`, elapsed(start))
  start = performance.now()
  await journal.recover(-1)
  show('the first recover', elapsed(start))

  start = performance.now()
  const read = journal.read(-1, { entries: BATCH_ENTRIES, bytes: BATCH_BYTES })
  show(`reading ${read.length} entries`, elapsed(start))

  while (nextId < ids) await releaseBatch(journal, Math.ceil(ids / Math.max(BATCH_ENTRIES, held - 10 * BATCH_ENTRIES)))
  const times: number[] = []
  for (let i = 0; i < 5; i++) {
    start = performance.now()
    await releaseBatch(journal, 1)
    times.push(performance.now() - start)
  }
  times.sort((a, b) => a - b)
  show(`releasing ${BATCH_ENTRIES} entries with as many ids, ${ids} remembered`, `${times[2]!.toFixed(0)} ms (median)`)
  show('memory', `${Math.round(process.memoryUsage().rss / 1024 ** 2)} MiB`)
  show('file', `${Math.round(statSync(join(directory, 'lmdb', 'data.mdb')).size / 1024 ** 2)} MiB`)
  await journal.close()
} finally {
  rmSync(directory, { recursive: true })
}
