/**
 * A process that executes commands from standard input, one per line, with words separated by tabs. It answers each with
 * one line: a result, or the code of the error.
 *
 * `open <directory>` opens a journal (`opened`) · `append <via> <body>` appends to it (`appended`) · `append-all <body> <body>`
 * appends two entries of another journal at once (`appended`) · `refusal-reason` prints the reason, or `none` · `lock <directory>` locks a directory (`locked`) · `release` closes the journal or releases
 * the lock (`released`) · `wait` does nothing (`waited`).
 */
import { createInterface } from 'node:readline'
import { systemClock } from '../../../src/core/clock.js'
import { messageOf } from '../../../src/core/errors.js'
import type { Via } from '../../../src/core/event.js'
import { lockDirectory } from '../../../src/journal/directory-lock.js'
import { LmdbJournal } from '../../../src/journal/lmdb-journal.js'
import { entryOf } from '../journal-contract.js'

let journal: LmdbJournal | undefined
let releaseHeld: () => Promise<void> = async () => undefined

const commands: Readonly<Record<string, (first: string, second: string) => Promise<string>>> = {
  open: async (directory) => {
    journal = await LmdbJournal.open({
      directory,
      maxBytes: 1024 ** 3,
      reserveBytes: 0,
      duplicates: { rememberForMs: 3_600_000, maxIds: 1000 },
      clock: systemClock,
    })
    releaseHeld = () => journal!.close()
    return 'opened'
  },
  append: async (via, body) => {
    await journal!.append(entryOf(body, { via: via as Via }))
    return 'appended'
  },
  'append-all': async (...bodies) => {
    const entries = bodies.map((body, seq) => ({
      ...entryOf(body),
      origin: { kind: 'import', journalId: 'another', seq } as const,
    }))
    await journal!.appendAll(entries)
    return 'appended'
  },
  'refusal-reason': async () => journal!.refusalReason() ?? 'none',
  lock: async (directory) => {
    const lock = await lockDirectory(directory)
    releaseHeld = () => lock.release()
    return 'locked'
  },
  release: async () => {
    await releaseHeld()
    releaseHeld = async () => undefined
    return 'released'
  },
  wait: async () => 'waited',
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command = '', first = '', second = ''] = line.split('\t')
  const answer = await commands[command]!(first, second).catch(
    (error: { code?: string }) => error.code ?? messageOf(error),
  )
  process.stdout.write(`${answer}\n`)
}
await releaseHeld()
// An LMDB environment that has failed for good would keep the process running.
process.exit()
