/** Appends whose entries are read and released before lmdb-js confirms them, so that the append can't find them any more. */
import { afterEach, describe, expect, it } from 'vitest'
import { entryOf } from './journal-contract.js'
import { Journals } from './support/journals.js'
import { RecordingLog } from '../support/recording-observers.js'

const journals = new Journals()
afterEach(() => journals.dispose())

describe('An append', () => {
  it(
    'takes place once, also if its entry is read and released before LMDB confirms the write',
    { timeout: 120_000 },
    async () => {
      const log = new RecordingLog()
      const journal = await journals.open(journals.directory(), { log })
      await journal.recover(-1)
      const released: string[] = []
      let activeAppenders = 8
      const appending = Promise.all(
        Array.from({ length: activeAppenders }, async (_, appender) => {
          for (let i = 0; i < 500; i++) await journal.append(entryOf('x', { source: `${appender}-${i}`, via: 'PULL' }))
          activeAppenders--
        }),
      )
      for (;;) {
        const entries = journal.read(-1, { entries: 50, bytes: 1024 ** 2 })
        const last = entries.at(-1)
        if (last) {
          await journal.release(last.seq, { occurrences: [], watchChanges: [] })
          released.push(...entries.map(({ source }) => source))
        } else if (activeAppenders === 0) break
        else await new Promise(setImmediate)
      }
      await appending
      expect(log.messages).toEqual([])
      expect(released).toHaveLength(8 * 500)
      expect(new Set(released).size).toBe(8 * 500)
    },
  )
})
