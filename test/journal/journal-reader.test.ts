/** The journal as other processes read it: beside its writer, on a copy, without rights, and damaged. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import type { Entry } from '../../src/journal/journal.js'
import { JournalReader, type ReadEntry } from '../../src/journal/journal-reader.js'
import { entryOf } from './journal-contract.js'
import { bodyOf, sizeOf } from './support/bodies.js'
import { ChildProcess, killChildProcesses } from './support/child-process.js'
import { Journals } from './support/journals.js'

const journals = new Journals()
const readers: JournalReader[] = []

afterEach(async () => {
  for (const reader of readers.splice(0)) reader.close()
  await killChildProcesses()
  await journals.dispose()
})

function open(directory: string): JournalReader {
  const reader = JournalReader.open(directory)
  readers.push(reader)
  return reader
}

const entryIn = (each: ReadEntry): Entry => {
  if ('problem' in each) throw new Error(each.problem)
  return each.entry
}

const toComparable = ({ body, ...rest }: Entry): object => ({ ...rest, body: Buffer.from(body).toString('hex') })

/** Names and contents of the files of a journal. */
const filesIn = (directory: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .map((name) => join(directory, name))
      .filter((path) => statSync(path).isFile())
      .map((path) => [path, readFileSync(path).toString('base64')]),
  )

const PAGE_BYTES = 4_096

async function makeJournal(entries: number): Promise<string> {
  const directory = journals.directory()
  const journal = await journals.open(directory)
  await Promise.all(Array.from({ length: entries }, (_, n) => journal.append(entryOf(`${n} ${'x'.repeat(300)}`))))
  await journals.close(journal)
  return directory
}

describe('A reader of a journal', () => {
  it('returns every entry as the journal itself does, to the byte, whatever was appended and released', async () => {
    const size = fc.oneof(fc.nat(100), fc.nat(5_000), fc.constantFrom(1_900, 2_048, 4_072, 8_168, 70_000, 3_000_000))
    const entry = fc.record({ size, source: fc.string({ minLength: 1 }), receivedAt: fc.nat() })
    const appended = fc.array(entry, { minLength: 1, maxLength: 120 })
    await fc.assert(
      fc.asyncProperty(appended, fc.nat(), async (entries, released) => {
        const directory = journals.directory()
        const journal = await journals.open(directory)
        await journal.recover(-1)
        const seqs = await Promise.all(
          entries.map(({ size: bytes, source, receivedAt }, n) =>
            journal.append(entryOf(bodyOf(String(n), bytes), { source, receivedAt })),
          ),
        )
        const upTo = released % 3 === 0 ? -1 : seqs[released % seqs.length]!
        const occurrences = seqs.map((seq) => ({
          eventId: `${seq}`,
          seq,
          itemIndex: 0,
          receivedAt: journals.clock.now(),
        }))
        if (upTo >= 0) await journal.release(upTo, { occurrences, watchChanges: [] })

        const reader = open(directory)
        const expected = journal.read(-1, { entries: 1_000, bytes: 1e12 })
        expect([...reader.entries()].map(entryIn).map(toComparable)).toEqual(expected.map(toComparable))
        expect(reader.id).toBe(journal.id)
        expect(reader.releasedUpTo).toBe(journal.releasedUpTo)
        expect(reader.lastSeq).toBe(expected.at(-1)?.seq ?? -1)
        const { bytes } = journal.stats()
        expect(reader.sizes).toMatchObject({ entries: expected.length, eventIds: upTo < 0 ? 0 : seqs.length })
        if (upTo >= 0) expect(reader.sizes.entryBytes).toBe(bytes)
        await journals.close(journal)
      }),
      { numRuns: 25 },
    )
  })

  it(
    'reads whole entries beside a process that appends and releases them, again and again',
    { timeout: 120_000 },
    async () => {
      const directory = journals.directory()
      const child = new ChildProcess('appender.ts', [directory, '0'])
      await child.line(50)
      const reader = open(directory)
      const releasedBefore = reader.releasedUpTo
      const end = systemClock.monotonic() + 6_000
      let read = 0
      let scans = 0
      while (systemClock.monotonic() < end) {
        let last = -1
        for (const each of reader.entries()) {
          const { seq, source, body } = entryIn(each)
          if (!bodyOf(source, sizeOf(source)).equals(body)) throw new Error(`entry ${seq} of ${source} was read wrong`)
          expect(seq).toBeGreaterThan(last)
          last = seq
          read++
          if (read % 50 === 0) await new Promise(setImmediate)
        }
        scans++
        await new Promise(setImmediate)
      }
      expect(reader.releasedUpTo).toBeGreaterThan(releasedBefore)
      expect(scans).toBeGreaterThan(5)
      expect(read).toBeGreaterThan(100)
      await child.kill()
      // Everything that was acknowledged and not released is there, as without a reader.
      const acknowledged = child.lines
        .map((line) => line.split(' '))
        .flatMap(([what, , seq]) => (what === 'append' ? [Number(seq)] : []))
      const present = new Set([...reader.entries()].map(({ seq }) => seq))
      const missing = acknowledged.filter((seq) => seq > reader.releasedUpTo && !present.has(seq))
      expect(missing).toEqual([])
    },
  )

  it('ends at the last entry that was there when it began, although entries keep arriving', async () => {
    const directory = await makeJournal(20)
    const reader = open(directory)
    const entries = reader.entries()
    entries.next()
    const journal = await journals.open(directory)
    await journal.append(entryOf('new'))
    expect([...entries]).toHaveLength(19)
    expect([...reader.entries()]).toHaveLength(21)
  })

  it('changes no file and makes none, on a copy without lock files as well', async () => {
    const directory = await makeJournal(200)
    const copy = journals.directory()
    mkdirSync(join(copy, 'lmdb'))
    cpSync(join(directory, 'lmdb/data.mdb'), join(copy, 'lmdb/data.mdb'))
    for (const each of [directory, copy]) {
      const before = filesIn(each)
      const reader = open(each)
      expect([...reader.entries()]).toHaveLength(200)
      expect(reader.sizes.entries).toBe(200)
      expect(filesIn(each)).toEqual(before)
    }
  })

  it(
    'holds back no page of the writer, so the data file does not grow because of it',
    { timeout: 60_000 },
    async () => {
      const directory = journals.directory()
      const journal = await journals.open(directory)
      await journal.recover(-1)
      const cycle = async (): Promise<void> => {
        const seqs = await Promise.all(Array.from({ length: 50 }, () => journal.append(entryOf('x'.repeat(2_000)))))
        await journal.release(seqs.at(-1)!, { occurrences: [], watchChanges: [] })
      }
      for (let n = 0; n < 20; n++) await cycle()
      await journal.append(entryOf('stays'))
      const open1 = open(directory)
      const pending = open1.entries()
      pending.next()
      const before = statSync(open1.dataFile).size
      for (let n = 0; n < 100; n++) await cycle()
      expect(statSync(open1.dataFile).size).toBeLessThan(before + 50 * PAGE_BYTES)
    },
  )

  it.runIf(process.getuid?.() === 0)(
    'says which user to be if the rights do not allow reading',
    { timeout: 30_000 },
    async () => {
      const directory = await makeJournal(1)
      chmodSync(directory, 0o700)
      const child = new ChildProcess('journal-reader-process.ts', [directory], { uid: 65_534, gid: 65_534 })
      expect(await child.line(1)).toMatch(
        /^JOURNAL_UNUSABLE .*EACCES.*run this command as the user that owns the files/,
      )
    },
  )

  it.runIf(process.getuid?.() === 0)(
    'reads the files of another user that it may read, and writes nothing',
    { timeout: 30_000 },
    async () => {
      const directory = await makeJournal(3)
      for (const each of [directory, join(directory, 'lmdb')]) chmodSync(each, 0o555)
      chmodSync(join(directory, 'lmdb/data.mdb'), 0o444)
      const before = filesIn(directory)
      const child = new ChildProcess('journal-reader-process.ts', [directory], { uid: 65_534, gid: 65_534 })
      expect(await child.line(1)).toBe('3')
      expect(filesIn(directory)).toEqual(before)
    },
  )
})

describe('A directory that holds no journal', () => {
  it.each([
    ['does not exist', () => join(journals.directory(), 'missing'), /there is no such directory/],
    ['is empty', () => journals.directory(), /it has no file lmdb\/data.mdb/],
    ['is a file', () => makeFile(), /it is not a directory/],
    ['has an empty data file', () => makeEmptyDataFile(), /its file lmdb\/data.mdb is empty/],
  ])('is refused, and nothing is made in it, if it %s', (_state, make, message) => {
    const directory = make()
    const isThere = existsSync(directory)
    expect(() => open(directory)).toThrow(
      expect.objectContaining({ code: 'NO_JOURNAL', message: expect.stringMatching(message) as string }),
    )
    expect(existsSync(directory)).toBe(isThere)
    expect(existsSync(join(directory, 'lmdb/lock.mdb'))).toBe(false)
  })
})

function makeFile(): string {
  const file = join(journals.directory(), 'file')
  writeFileSync(file, '')
  return file
}

function makeEmptyDataFile(): string {
  const directory = journals.directory()
  mkdirSync(join(directory, 'lmdb'))
  writeFileSync(join(directory, 'lmdb/data.mdb'), '')
  return directory
}

describe('A damaged data file', () => {
  it('is reported with the page, and never read as if it were whole, wherever bytes were overwritten', async () => {
    const directory = await makeJournal(500)
    const original = readFileSync(join(directory, 'lmdb/data.mdb'))
    const whole = [...open(directory).entries()].map(entryIn).map(toComparable)
    const damage = fc.record({
      position: fc.integer({ min: 0, max: original.length - 1 }),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 2 * PAGE_BYTES }),
    })
    fc.assert(
      fc.property(damage, ({ position, bytes }) => {
        const damaged = Buffer.from(original)
        damaged.set(bytes.subarray(0, original.length - position), position)
        writeFileSync(join(directory, 'lmdb/data.mdb'), damaged)
        let read: ReadEntry[]
        try {
          const reader = JournalReader.open(directory)
          try {
            read = [...reader.entries()]
          } finally {
            reader.close()
          }
        } catch (error) {
          // Only errors that say what is wrong. The process is alive, which it would not be with LMDB.
          expect(['JOURNAL_UNUSABLE', 'NO_JOURNAL']).toContain((error as { code: string }).code)
          return
        }
        // Bytes of an entry that LMDB has no checksum of may be changed, and unused pages and older snapshots may be hit.
        expect(read.length).toBeGreaterThan(0)
        expect(read.length).toBeLessThanOrEqual(whole.length)
      }),
      { numRuns: 150 },
    )
  })

  it.each([0.1, 0.5, 0.9])('is reported if only its first part of %s is left', async (share) => {
    const directory = await makeJournal(500)
    const file = join(directory, 'lmdb/data.mdb')
    truncateSync(file, Math.floor(statSync(file).size * share))
    expect(() => [...open(directory).entries()]).toThrow(
      expect.objectContaining({
        code: 'JOURNAL_UNUSABLE',
        message: expect.stringMatching(/it ends before byte/) as string,
      }),
    )
  })

  it('is reported if another program wrote it, or another version of LMDB', async () => {
    const directory = await makeJournal(1)
    const file = join(directory, 'lmdb/data.mdb')
    const bytes = readFileSync(file)
    bytes.writeUInt32LE(1, 28)
    writeFileSync(file, bytes)
    expect(() => open(directory)).toThrow(/version 1 of LMDB's format, and this release reads version 2/)
    writeFileSync(file, 'x'.repeat(10_000))
    expect(() => open(directory)).toThrow(/it does not begin as an LMDB file does/)
  })
})
