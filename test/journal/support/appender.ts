/**
 * A process that appends and releases entries until it is killed. It writes `append <name> <number>` after each
 * acknowledgement, `releasing <number>` before each release and `released <number>` after it.
 *
 * Arguments: directory, name of the run, offset of its clock in milliseconds, and the keys of its encryption in hexadecimal, the
 * present one first, separated by commas.
 */
import { systemClock } from '../../../src/core/clock.js'
import { LmdbJournal } from '../../../src/journal/lmdb-journal.js'
import { entryOf } from '../journal-contract.js'
import { bodyOf, sizeOf } from './bodies.js'

const APPENDERS = 8
/** Lets entries accumulate between two releases. */
const RELEASE_INTERVAL_MS = 20

const [directory = '', run = '', clockOffset = '0', keys = ''] = process.argv.slice(2)
const [key, ...previousKeys] = keys
  .split(',')
  .filter((each) => each !== '')
  .map((each) => Buffer.from(each, 'hex'))
const report = (...words: (string | number)[]): void => void process.stdout.write(`${words.join(' ')}\n`)

const journal = await LmdbJournal.open({
  directory,
  maxBytes: 1024 ** 3,
  reserveBytes: 0,
  duplicates: { rememberForMs: 60 * 86_400_000, maxIds: 1_000_000 },
  encryption: { ...(key && { key }), previousKeys },
  clock: { ...systemClock, now: () => Date.now() + Number(clockOffset) },
})
await journal.recover(-1)
report('open', journal.id, journal.releasedUpTo)

let count = 0
const append = async (): Promise<void> => {
  for (;;) {
    const name = `${run}-${count}`
    count++
    const via = count % 3 === 0 ? 'PULL' : 'CALLBACK'
    const nonce = count % 5 === 0 ? { key: name, expiresAt: Date.now() + 60_000 } : undefined
    const seq = await journal.append(entryOf(bodyOf(name, sizeOf(name)), { source: name, via }), nonce)
    report('append', name, seq)
  }
}
const release = async (): Promise<void> => {
  for (;;) {
    await journal.waitForEntry(journal.releasedUpTo, new AbortController().signal)
    const entries = journal.read(-1, { entries: 50, bytes: 1024 ** 2 })
    const middle = entries[Math.floor(entries.length / 2)]
    if (!middle) continue
    report('releasing', middle.seq)
    const occurrences = entries
      .filter(({ seq }) => seq <= middle.seq)
      .map(({ source, seq }) => ({ eventId: source, seq, itemIndex: 0, receivedAt: Date.now() }))
    await journal.release(middle.seq, { occurrences, watchChanges: [] })
    report('released', middle.seq)
    await systemClock.sleep(RELEASE_INTERVAL_MS)
  }
}
await Promise.all([...Array.from({ length: APPENDERS }, append), release()])
