/**
 * Appends and releases until it is killed. Says `append <name> <number>` after each acknowledgement, `releasing <number>`
 * before and `released <number>` after each release.
 *
 * Arguments: directory, run, milliseconds that its clock is off.
 */
import { systemClock } from '../../../src/core/clock.js'
import { LmdbJournal } from '../../../src/journal/lmdb-journal.js'
import { entryOf } from '../journal-contract.js'
import { bodyOf, sizeOf } from './bodies.js'

const [directory = '', run = '', off = '0'] = process.argv.slice(2)
const say = (...words: (string | number)[]): void => void process.stdout.write(`${words.join(' ')}\n`)

const journal = await LmdbJournal.open({
  directory,
  maxBytes: 1024 ** 3,
  reserveBytes: 0,
  duplicates: { rememberFor: 60 * 86_400_000, maxIds: 1_000_000 },
  clock: { ...systemClock, now: () => Date.now() + Number(off) },
})
const position = Number(process.argv[5] ?? -1)
await journal.recover(position)
say('open', journal.id, journal.releasedUpTo)

let count = 0
const append = async (): Promise<void> => {
  for (;;) {
    const name = `${run}-${count++}`
    const via = count % 3 === 0 ? 'PULL' : 'CALLBACK'
    const nonce = count % 5 === 0 ? { key: name, expiresAt: Date.now() + 60_000 } : undefined
    const seq = await journal.append(entryOf(bodyOf(name, sizeOf(name)), { source: name, via }), nonce)
    say('append', name, seq)
  }
}
const release = async (): Promise<void> => {
  for (;;) {
    await journal.waitForEntry(journal.releasedUpTo, new AbortController().signal)
    const entries = journal.read(-1, { entries: 50, bytes: 1024 ** 2 })
    const middle = entries[Math.floor(entries.length / 2)]
    if (!middle) continue
    say('releasing', middle.seq)
    const seen = entries.map(({ source, seq }) => ({ eventId: source, seq, place: 0, receivedAt: Date.now() }))
    await journal.release(middle.seq, { occurrences: seen.filter(({ seq }) => seq <= middle.seq), watchChanges: [] })
    say('released', middle.seq)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
await Promise.all([...Array.from({ length: 8 }, append), release()])
