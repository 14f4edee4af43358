/**
 * A process that appends batches of entries of another journal until it is killed. It writes `batch <name>` after each
 * acknowledgement.
 *
 * Arguments: directory, name of the run, and the entries of a batch.
 */
import { systemClock } from '../../../src/core/clock.js'
import { LmdbJournal } from '../../../src/journal/lmdb-journal.js'
import { entryOf } from '../journal-contract.js'

const [directory = '', run = '', size = '1'] = process.argv.slice(2)

const journal = await LmdbJournal.open({
  directory,
  maxBytes: 1024 ** 3,
  reserveBytes: 0,
  duplicates: { rememberForMs: 3_600_000, maxIds: 1_000 },
  clock: systemClock,
})
for (let count = 0; ; count++) {
  const name = `${run}-${count}`
  const batch = Array.from({ length: Number(size) }, (_, seq) => ({
    ...entryOf(`${name} ${seq}`, { source: name }),
    origin: { kind: 'import', journalId: name, seq } as const,
  }))
  await journal.appendAll(batch)
  process.stdout.write(`batch ${name}\n`)
}
