/** Appends whose entries are read and released at once: by the time LMDB answers, there is nothing left to find. */
import { afterEach, describe, expect, it } from 'vitest'
import { entryOf } from './journal-contract.js'
import { Journals } from './support/journals.js'

const journals = new Journals()
afterEach(() => journals.dispose())

describe('an append', () => {
  it('is done once, also if its entry was read and released before LMDB answered', { timeout: 120_000 }, async () => {
    const trouble: string[] = []
    const onWarning = (message: string): void => void trouble.push(message)
    const journal = await journals.open(journals.directory(), { onWarning: onWarning })
    await journal.recover(-1)
    const released: string[] = []
    let open = 8
    const appending = Promise.all(
      Array.from({ length: open }, async (_, worker) => {
        for (let i = 0; i < 500; i++) await journal.append(entryOf('x', { source: `${worker}-${i}`, via: 'PULL' }))
        open--
      }),
    )
    for (;;) {
      const entries = journal.read(-1, { entries: 50, bytes: 1024 ** 2 })
      const last = entries.at(-1)
      if (last) {
        await journal.release(last.seq, { occurrences: [], watchChanges: [] })
        released.push(...entries.map(({ source }) => source))
      } else if (open === 0) break
      else await new Promise(setImmediate)
    }
    await appending
    expect(trouble).toEqual([])
    expect(released).toHaveLength(8 * 500)
    expect(new Set(released).size).toBe(8 * 500)
  })
})
