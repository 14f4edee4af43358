/** Batches that are handed in are in custody as a whole or not at all, whatever happens meanwhile (invariant 1). */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import type { EntryWithOrigin, Journal } from '../../src/journal/journal.js'
import { entryOf } from './journal-contract.js'
import { ChildProcess, killChildProcesses } from './support/child-process.js'
import { Journals, MIB } from './support/journals.js'

const journals = new Journals()
afterEach(async () => {
  await killChildProcesses()
  await journals.dispose()
})

const ALL = { entries: 1e6, bytes: 1e12 }
const bodiesOf = (journal: Journal): string[] => journal.read(-1, ALL).map(({ body }) => Buffer.from(body).toString())

const handedIn = (body: string | Buffer, seq = 0): EntryWithOrigin => ({
  ...entryOf(body),
  origin: { kind: 'import', journalId: 'another', seq },
})

describe('A batch that is handed in to the journal', () => {
  it('is refused as a whole where only a part of it has room, and counts for nothing afterwards', async () => {
    const journal = await journals.open(journals.directory(), { maxBytes: 12 * MIB })
    await journal.append(entryOf('before'))
    const large = Array.from({ length: 20 }, (_, seq) => handedIn(Buffer.alloc(MIB), seq))
    await expect(journal.appendAll(large)).rejects.toMatchObject({ code: 'JOURNAL_FULL' })
    expect(journal.stats().entries).toBe(1)
    expect(journal.stats().bytes).toBeLessThan(MIB)
    await journal.appendAll([handedIn('first'), handedIn('second', 1)])
    await journal.append(entryOf('after'))
    expect(bodiesOf(journal)).toEqual(['before', 'first', 'second', 'after'])
  })

  it('is published once where the pipeline reads and releases it before LMDB confirms the write', async () => {
    const journal = await journals.open(journals.directory())
    await journal.recover(-1)
    const published: string[] = []
    const batches = Array.from({ length: 100 }, (_, batch) =>
      Array.from({ length: 7 }, (_entry, index) => handedIn(`${batch} ${index}`, batch * 7 + index)),
    )
    let hasEnded = false
    const appending = (async () => {
      for (const batch of batches) await journal.appendAll(batch)
      hasEnded = true
    })()
    for (;;) {
      const entries = journal.read(-1, { entries: 3, bytes: 1e9 })
      const last = entries.at(-1)
      if (last) {
        await journal.release(last.seq, { occurrences: [], watchChanges: [] })
        published.push(...entries.map(({ body }) => Buffer.from(body).toString()))
      } else if (hasEnded) break
      else await new Promise(setImmediate)
    }
    await appending
    expect(published).toEqual(batches.flat().map(({ body }) => Buffer.from(body).toString()))
  })

  it('is whole or absent after each of ten kills, and whole if it was confirmed', { timeout: 120_000 }, async () => {
    const directory = journals.directory()
    const size = 25
    const confirmed = new Set<string>()
    for (let run = 0; run < 10; run++) {
      const child = new ChildProcess('batch-appender.ts', [directory, String(run), String(size)])
      await child.line(3)
      await sleep(Math.random() * 50)
      await child.kill()
      for (const line of child.lines) confirmed.add(line.split(' ')[1]!)
      const journal = await journals.open(directory, { clock: systemClock })
      const batches = new Map<string, string[]>()
      for (const { source, body } of journal.read(-1, ALL)) {
        batches.set(source, [...(batches.get(source) ?? []), Buffer.from(body).toString()])
      }
      await journals.close(journal)
      for (const [name, bodies] of batches) {
        expect(bodies).toEqual(Array.from({ length: size }, (_, seq) => `${name} ${seq}`))
      }
      expect([...confirmed].filter((name) => !batches.has(name))).toEqual([])
    }
  })
})
