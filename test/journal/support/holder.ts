/**
 * Does as it is told on standard input: `open <directory>` a journal, `lock <directory>`, `release` either, or nothing
 * (`wait`). Says `got`, the code of the error, `released`, or `waited`.
 */
import { createInterface } from 'node:readline'
import { systemClock } from '../../../src/clock.js'
import { LmdbJournal } from '../../../src/journal/lmdb-journal.js'
import { lockDirectory } from '../../../src/journal/lock.js'

const say = (word: string): void => void process.stdout.write(`${word}\n`)

const open = (directory: string): Promise<LmdbJournal> =>
  LmdbJournal.open({
    directory,
    maxBytes: 1024 ** 3,
    reserveBytes: 0,
    duplicates: { rememberFor: 3_600_000, maxIds: 1000 },
    clock: systemClock,
  })

let giveUp: () => Promise<void> = async () => undefined
for await (const line of createInterface({ input: process.stdin })) {
  const [command, directory = ''] = line.split('\t')
  try {
    if (command === 'open') {
      const journal = await open(directory)
      giveUp = () => journal.close()
      say('got')
    } else if (command === 'lock') {
      const lock = await lockDirectory(directory)
      giveUp = () => lock.release()
      say('got')
    } else if (command === 'wait') {
      say('waited')
    } else {
      await giveUp()
      giveUp = async () => undefined
      say('released')
    }
  } catch (error) {
    say((error as { code?: string }).code ?? String(error))
  }
}
await giveUp()
