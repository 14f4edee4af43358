/**
 * Does as it is told on standard input, a command a line, words parted by tabs: `open <directory>` a journal, `append
 * <via> <body>` to it, `lock <directory>`, `release` either, or nothing (`wait`). Says one line to each: `got`, `appended`,
 * `released`, `waited`, or the code of the error.
 */
import { createInterface } from 'node:readline'
import { systemClock } from '../../../src/core/clock.js'
import { messageOf } from '../../../src/core/errors.js'
import type { Via } from '../../../src/core/event.js'
import { LmdbJournal } from '../../../src/journal/lmdb-journal.js'
import { lockDirectory } from '../../../src/journal/directory-lock.js'
import { entryOf } from '../journal-contract.js'

let journal: LmdbJournal | undefined
let giveUp: () => Promise<void> = async () => undefined

const commands: Readonly<Record<string, (first: string, second: string) => Promise<string>>> = {
  open: async (directory) => {
    journal = await LmdbJournal.open({
      directory,
      maxBytes: 1024 ** 3,
      reserveBytes: 0,
      duplicates: { rememberFor: 3_600_000, maxIds: 1000 },
      clock: systemClock,
    })
    giveUp = () => journal!.close()
    return 'got'
  },
  append: async (via, body) => {
    await journal!.append(entryOf(body, { via: via as Via }))
    return 'appended'
  },
  refusal: async () => journal!.refusalReason() ?? 'none',
  lock: async (directory) => {
    const lock = await lockDirectory(directory)
    giveUp = () => lock.release()
    return 'got'
  },
  release: async () => {
    await giveUp()
    giveUp = async () => undefined
    return 'released'
  },
  wait: async () => 'waited',
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command = '', first = '', second = ''] = line.split('\t')
  const said = await commands[command]!(first, second).catch(
    (error: { code?: string }) => error.code ?? messageOf(error),
  )
  process.stdout.write(`${said}\n`)
}
await giveUp()
// A dead environment would keep the process.
process.exit()
