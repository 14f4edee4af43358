/** How the journal grows: entries that it holds while Kafka is away, and event ids that it remembers. */
import { createHash } from 'node:crypto'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { workDirectory } from '../../dev/work-directory.js'
import { systemClock } from '../../src/core/clock.js'
import type { EventOccurrence, NewEntry } from '../../src/journal/journal.js'
import { LmdbJournal } from '../../src/journal/lmdb-journal.js'
import { quantile } from '../statistics.js'
import type { Dimension, GrowthPoint } from './dimension.js'

const BATCH = { entries: 5_000, bytes: 64 * 1024 ** 2 }
const REPETITIONS = 5
const WEEK_MS = 7 * 86_400_000

const openIn = (directory: string, maxIds: number): Promise<LmdbJournal> =>
  LmdbJournal.open({
    directory,
    maxBytes: 64 * 1024 ** 3,
    reserveBytes: 0,
    duplicates: { rememberForMs: WEEK_MS, maxIds },
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

async function appendBatch(journal: LmdbJournal, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, n) => journal.append(entryOf(n))))
}

async function millisecondsOf(work: () => unknown): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

async function medianOf(work: () => Promise<number>): Promise<number> {
  const times: number[] = []
  for (let time = 0; time < REPETITIONS; time++) times.push(await work())
  return quantile(times, 0.5)
}

export const journalEntries: Dimension = {
  name: 'journal-entries',
  title: 'Journal entries',
  xLabel: 'entries in custody',
  xs: [10_000, 100_000, 300_000, 1_000_000],
  plotted: 'append 5,000, ms',
  async *measure(_stack, xs, isLate): AsyncGenerator<GrowthPoint> {
    const directory = await workDirectory('trial')
    let journal = await openIn(directory, 1)
    await journal.recover(-1)
    try {
      for (const x of xs) {
        const appends: number[] = []
        while (journal.stats().entries < x && !isLate()) {
          appends.push(await millisecondsOf(() => appendBatch(journal, BATCH.entries)))
        }
        if (isLate()) return
        await journal.close()
        const openMs = await millisecondsOf(async () => {
          journal = await openIn(directory, 1)
        })
        const recoverMs = await millisecondsOf(() => journal.recover(-1))
        const readMs = await medianOf(() => millisecondsOf(() => journal.read(-1, BATCH)))
        const { size } = await stat(join(directory, 'lmdb', 'data.mdb'))
        yield {
          x: journal.stats().entries,
          figures: {
            'append 5,000, ms': quantile(appends.slice(-10), 0.5),
            'read 5,000, ms': readMs,
            'open, ms': openMs,
            'recover, ms': recoverMs,
            'file MiB': size / 1024 ** 2,
          },
        }
      }
    } finally {
      await journal.close()
      await rm(directory, { recursive: true, force: true })
    }
  },
}

export const rememberedIds: Dimension = {
  name: 'remembered-ids',
  title: 'Remembered ids',
  xLabel: 'event ids that are remembered',
  xs: [0, 10_000, 100_000, 1_000_000, 4_000_000],
  plotted: 'release 5,000 with as many ids, ms',
  async *measure(_stack, xs, isLate): AsyncGenerator<GrowthPoint> {
    const directory = await workDirectory('trial')
    const journal = await openIn(directory, 2 * xs.at(-1)!)
    await journal.recover(-1)
    let ids = 0
    const idOf = (n: number): string => createHash('sha256').update(String(n)).digest('hex').slice(0, 32)
    const releaseBatch = async (idsPerEntry: number): Promise<number> => {
      await appendBatch(journal, BATCH.entries)
      const read = journal.read(-1, BATCH)
      const occurrences: EventOccurrence[] = []
      for (const { seq, receivedAt } of read) {
        for (let itemIndex = 0; itemIndex < idsPerEntry; itemIndex++) {
          occurrences.push({ eventId: idOf(ids), seq, itemIndex, receivedAt })
          ids++
        }
      }
      return millisecondsOf(() => journal.release(read.at(-1)!.seq, { occurrences, watchChanges: [] }))
    }
    try {
      for (const x of xs) {
        while (ids < x && !isLate()) await releaseBatch(x - ids > 100_000 ? 10 : 1)
        if (isLate()) return
        const remembered = ids
        const lookUpMs = await medianOf(() =>
          millisecondsOf(() => {
            for (let n = 0; n < BATCH.entries; n++) journal.findFirstSeen(idOf(1_000_000_000 + ids + n))
          }),
        )
        const releaseMs = await medianOf(() => releaseBatch(1))
        const { size } = await stat(join(directory, 'lmdb', 'data.mdb'))
        const figures = {
          'release 5,000 with as many ids, ms': releaseMs,
          'look up 5,000 new ids, ms': lookUpMs,
          'file MiB': size / 1024 ** 2,
        }
        yield { x: remembered, figures }
      }
    } finally {
      await journal.close()
      await rm(directory, { recursive: true, force: true })
    }
  },
}
