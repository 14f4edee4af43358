/** A journal whose encryption is turned on, off and rotated, whose key is missing, and of which an entry is damaged. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { asBinary, open } from 'lmdb'
import { afterEach, describe, expect, it } from 'vitest'
import type { ConnectorError } from '../../src/core/errors.js'
import { type EncryptionKeys, idOfKey } from '../../src/journal/entry-codec.js'
import { openEnvironment } from '../../src/journal/environment.js'
import type { Entry, Journal } from '../../src/journal/journal.js'
import { JournalReader } from '../../src/journal/journal-reader.js'
import { entryOf } from './journal-contract.js'
import { Journals } from './support/journals.js'

const journals = new Journals()
afterEach(() => journals.dispose())

const [KEY, NEW_KEY, OTHER_KEY] = [1, 2, 3].map((byte) => Buffer.alloc(32, byte)) as [Buffer, Buffer, Buffer]
const ALL = { entries: 1_000, bytes: 1e9 }

const bodiesOf = (entries: readonly Entry[]): string[] => entries.map(({ body }) => Buffer.from(body).toString())

/** Opens the journal, appends, and closes it. */
async function append(directory: string, encryption: EncryptionKeys, ...bodies: string[]): Promise<void> {
  const journal = await journals.open(directory, { encryption })
  for (const body of bodies) await journal.append(entryOf(body))
  await journals.close(journal)
}

async function readBodies(directory: string, encryption: EncryptionKeys): Promise<string[]> {
  const journal = await journals.open(directory, { encryption })
  const bodies = bodiesOf(journal.read(-1, ALL))
  await journals.close(journal)
  return bodies
}

const refusal = async (opening: Promise<unknown>): Promise<ConnectorError> =>
  opening.then(
    () => {
      throw new Error('the journal was opened')
    },
    (error: ConnectorError) => error,
  )

const releaseAll = async (journal: Journal): Promise<void> => {
  await journal.recover(-1)
  await journal.release(journal.read(-1, ALL).at(-1)!.seq, { occurrences: [], watchChanges: [] })
}

/** Changes the last byte of the value of an entry, as a failing disk would. */
async function damage(directory: string, index: number): Promise<number> {
  const env = openEnvironment(directory)
  const seq = [...env.entries.getKeys()][index]!
  const value = Buffer.from(env.entries.getBinary(seq)!)
  value[value.length - 1]! ^= 1
  await env.entries.put(seq, asBinary(value) as never)
  await env.root.close()
  return seq
}

describe('A journal whose encryption is changed', () => {
  it('reads plain and encrypted entries in their order after encryption was turned on, rotated and turned off', async () => {
    const directory = journals.directory()
    await append(directory, {}, 'plain')
    await append(directory, { key: KEY }, 'first key')
    await append(directory, { key: NEW_KEY, previousKeys: [KEY] }, 'second key')
    await append(directory, { previousKeys: [KEY, NEW_KEY] }, 'plain again')
    const expected = ['plain', 'first key', 'second key', 'plain again']
    expect(await readBodies(directory, { previousKeys: [NEW_KEY, KEY] })).toEqual(expected)
    const reader = JournalReader.open(directory, { key: NEW_KEY, previousKeys: [KEY] })
    expect([...reader.entries()].map((each) => ('entry' in each ? bodiesOf([each.entry])[0] : each.problem))).toEqual(
      expected,
    )
    expect([...reader.entries()].map(({ encryption }) => encryption.keyId)).toEqual([
      null,
      idOfKey(KEY),
      idOfKey(NEW_KEY),
      null,
    ])
    reader.close()
  })

  it('holds nothing of what was received in the clear', async () => {
    const directory = journals.directory()
    await append(directory, { key: KEY }, 'CANARY +33612345678')
    const file = readFileSync(join(directory, 'lmdb/data.mdb'), 'latin1')
    for (const text of ['CANARY', '33612345678', 'seven-main', 'DELIVERED']) expect(file).not.toContain(text)
  })

  it('opens without a key once every entry under it is released, and asks for it no more', async () => {
    const directory = journals.directory()
    const journal = await journals.open(directory, { encryption: { key: KEY } })
    await journal.append(entryOf('x'))
    await releaseAll(journal)
    await journals.close(journal)
    await append(directory, { key: NEW_KEY }, 'y')
    expect(await readBodies(directory, { key: NEW_KEY })).toEqual(['y'])
  })

  it('opens without a key whose entries are released while others are left', async () => {
    const directory = journals.directory()
    await append(directory, { key: KEY }, 'old')
    const journal = await journals.open(directory, { encryption: { key: NEW_KEY, previousKeys: [KEY] } })
    await journal.append(entryOf('new'))
    await journal.recover(-1)
    const [old] = journal.read(-1, ALL)
    await journal.release(old!.seq, { occurrences: [], watchChanges: [] })
    await journals.close(journal)
    expect(await readBodies(directory, { key: NEW_KEY })).toEqual(['new'])
  })

  it('encrypts entries anew that are moved above a position, so that they stay readable', async () => {
    const directory = journals.directory()
    const journal = await journals.open(directory, { encryption: { key: KEY } })
    const seqs = [await journal.append(entryOf('one')), await journal.append(entryOf('two'))]
    const position = seqs[1]! + 1_000
    await journal.recover(position)
    const entries = journal.read(-1, ALL)
    expect(bodiesOf(entries)).toEqual(['one', 'two'])
    expect(entries[0]!.seq).toBeGreaterThan(position)
    await journals.close(journal)
    expect(await readBodies(directory, { key: KEY })).toEqual(['one', 'two'])
  })
})

describe('A journal whose key is missing', () => {
  it('is not opened, names the key, and keeps every entry', async () => {
    const directory = journals.directory()
    await append(directory, { key: KEY }, 'one', 'two')
    for (const encryption of [{}, { key: OTHER_KEY }, { previousKeys: [NEW_KEY, OTHER_KEY] }]) {
      const error = await refusal(journals.open(directory, { encryption }))
      expect(error).toMatchObject({ code: 'CONFIG_INVALID', exitCode: 2 })
      expect(error.message).toContain(`2 entries encrypted with key ${idOfKey(KEY)}`)
    }
    expect(await readBodies(directory, { key: KEY })).toEqual(['one', 'two'])
  })

  it('is counted by a reader, which reads the other entries', async () => {
    const directory = journals.directory()
    await append(directory, {}, 'plain')
    await append(directory, { key: KEY }, 'one', 'two')
    const reader = JournalReader.open(directory)
    expect([...reader.countByMissingKey()]).toEqual([[idOfKey(KEY), 2]])
    const read = [...reader.entries()]
    expect(read.map((each) => 'entry' in each)).toEqual([true, false, false])
    expect(read[1]).toMatchObject({ problem: `it is encrypted with key ${idOfKey(KEY)}, which is not given` })
    reader.close()
  })
})

describe('A journal with a damaged encrypted entry', () => {
  it('returns what is in front of it, and then an error that names it, and loses nothing behind it', async () => {
    const directory = journals.directory()
    await append(directory, { key: KEY }, 'one', 'two', 'three')
    const seq = await damage(directory, 1)
    const journal = await journals.open(directory, { encryption: { key: KEY } })
    const [first, ...more] = journal.read(-1, ALL)
    expect(bodiesOf([first!, ...more])).toEqual(['one'])
    expect(() => journal.read(first!.seq, ALL)).toThrow(
      expect.objectContaining({
        code: 'JOURNAL_ENTRY_UNREADABLE',
        message: expect.stringContaining(`entry ${seq} of the journal`) as string,
      }) as Error,
    )
    expect(bodiesOf(journal.read(seq, ALL))).toEqual(['three'])
    await journal.append(entryOf('four'))
    expect(journal.stats().entries).toBe(4)
    await journals.close(journal)
  })

  it('tells the age of the oldest entry although it is damaged', async () => {
    const directory = journals.directory()
    await append(directory, { key: KEY }, 'one')
    const seq = await damage(directory, 0)
    const journal = await journals.open(directory, { encryption: { key: KEY } })
    expect(journal.stats().oldestReceivedAt).toBe(Math.floor(seq / 1_000))
    await journals.close(journal)
  })

  it('is read around by a reader, which says that the entry is damaged and not that a key is missing', async () => {
    const directory = journals.directory()
    await append(directory, { key: KEY }, 'one', 'two')
    await damage(directory, 0)
    const reader = JournalReader.open(directory, { key: KEY })
    const [first, second] = [...reader.entries()]
    expect(first).toMatchObject({ encryption: { keyId: idOfKey(KEY), isKeyMissing: false } })
    expect(first).toHaveProperty('problem', expect.stringContaining('are damaged'))
    expect(second).toHaveProperty('entry')
    expect(reader.countByMissingKey().size).toBe(0)
    reader.close()
  })
})

describe('An encrypted entry as an older build reads it', () => {
  it('is no map with a source, so that no dead letter can be made of it', async () => {
    const directory = journals.directory()
    await append(directory, { key: KEY }, 'one')
    const root = open({ path: join(directory, 'lmdb'), maxDbs: 8 })
    const [value] = [
      ...root
        .openDB('entries', { encoding: 'msgpack' })
        .getRange()
        .map((each) => each.value as unknown),
    ]
    expect(value).toBeInstanceOf(Uint8Array)
    await root.close()
  })
})
