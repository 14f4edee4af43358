/** One process at a time holds a journal, and the kernel releases it when that process ends. */
import { chmodSync, linkSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { findHolder, lockDirectory } from '../../src/journal/directory-lock.js'
import { ChildProcess, killChildProcesses } from './support/child-process.js'
import { Journals } from './support/journals.js'

// A process takes a second to start, and longer on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

const journals = new Journals()
let directory: string

beforeEach(() => {
  directory = journals.directory()
})
afterEach(async () => {
  await killChildProcesses()
  await journals.dispose()
})

/** Makes a socket that no process listens on any more, as a killed process leaves it. */
async function makeDeadSocket(where: string, name: string): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(join(where, 'dies'), resolve))
  linkSync(join(where, 'dies'), join(where, name))
  await new Promise((resolve) => server.close(resolve))
}

describe('A journal that a process holds', () => {
  it('is refused to another process, with advice, until the first process releases it', async () => {
    const journal = await journals.open(directory)
    const other = new ChildProcess('journal-process.ts')
    expect(await other.send('open', directory)).toBe('JOURNAL_HELD')
    await expect(journals.open(directory)).rejects.toThrow(
      `the journal in ${directory} is held by another process (process id ${process.pid} on host ${hostname()}); ` +
        'stop that one, or give this one a journal.directory',
    )
    await journals.close(journal)
    expect(await other.send('open', directory)).toBe('opened')
    await expect(journals.open(directory)).rejects.toMatchObject({ code: 'JOURNAL_HELD' })
    expect(await other.send('release')).toBe('released')
    await journals.open(directory)
  })

  it('can be opened after that process was killed', async () => {
    const holder = new ChildProcess('journal-process.ts')
    expect(await holder.send('open', directory)).toBe('opened')
    await expect(journals.open(directory)).rejects.toMatchObject({ code: 'JOURNAL_HELD' })
    await holder.kill()
    await journals.open(directory)
  })

  it('stays held when somebody has deleted every lock file', async () => {
    const journal = await journals.open(directory)
    for (const name of readdirSync(directory).filter((each) => each.startsWith('lock'))) rmSync(join(directory, name))
    rmSync(join(directory, 'lmdb', 'lock.mdb'))
    const other = new ChildProcess('journal-process.ts')
    expect(await other.send('open', directory)).toBe('JOURNAL_HELD')
    expect(await findHolder(directory)).toBe('another process')
    await journals.close(journal)
    expect(await findHolder(directory)).toBeUndefined()
    expect(await other.send('open', directory)).toBe('opened')
  })

  it('is refused to others by the lock file alone where the kernel locks no data file', async () => {
    const lock = await lockDirectory(directory)
    await expect(journals.open(directory)).rejects.toMatchObject({ code: 'JOURNAL_HELD' })
    await lock.release()
  })

  it('leaves one lock file, which is an ordinary file after it was closed', async () => {
    for (let i = 0; i < 5; i++) await journals.close(await journals.open(directory))
    await makeDeadSocket(directory, 'lock-0a1b2c3d')
    const lock = await lockDirectory(directory)
    expect(readdirSync(directory).filter((name) => name.startsWith('lock'))).toEqual(['lock.6'])
    await lock.release()
    const [left] = readdirSync(directory, { withFileTypes: true }).filter(({ name }) => name.startsWith('lock'))
    expect(left?.isFile()).toBe(true)
  })

  it('is held also in a directory whose path is longer than a socket address', async () => {
    const deep = join(directory, 'x'.repeat(120), 'y'.repeat(120))
    const journal = await journals.open(deep)
    const other = new ChildProcess('journal-process.ts')
    expect(await other.send('open', deep)).toBe('JOURNAL_HELD')
    await journals.close(journal)
    expect(await other.send('open', deep)).toBe('opened')
    await other.kill()
    await journals.open(deep)
  })

  it('keeps files with similar names', async () => {
    for (const name of ['lock', 'lock.txt', 'locksmith', 'lock-notes']) writeFileSync(join(directory, name), '')
    const lock = await lockDirectory(directory)
    expect(readdirSync(directory).sort()).toEqual(['lock', 'lock-notes', 'lock.1', 'lock.txt', 'locksmith'])
    await lock.release()
  })
})

describe('Processes that race for a lock', () => {
  it('have one winner in each of 40 rounds, whatever a killed process has left', async () => {
    const racers = [0, 1, 2].map(() => new ChildProcess('journal-process.ts'))
    for (let round = 0; round < 40; round++) {
      const where = join(directory, String(round))
      mkdirSync(where)
      if (round % 4 > 0) await makeDeadSocket(where, 'lock.1')
      if (round % 4 > 1) await makeDeadSocket(where, 'lock.2')
      if (round % 4 > 2) await makeDeadSocket(where, 'lock-00000000')
      const answers = await Promise.all(racers.map((racer) => racer.send('lock', where)))
      expect(answers.sort(), `round ${round}`).toEqual(['JOURNAL_HELD', 'JOURNAL_HELD', 'locked'])
      await Promise.all(racers.map((racer) => racer.send('release')))
    }
    await Promise.all(racers.map((racer) => racer.end()))
  })

  it('hold it one after the other and never at the same time', async () => {
    const racers = [0, 1, 2].map(() => new ChildProcess('journal-process.ts'))
    let holders = 0
    let turns = 0
    await Promise.all(
      racers.map(async (racer) => {
        while (turns < 60) {
          if ((await racer.send('lock', directory)) !== 'locked') continue
          holders++
          await racer.send('wait')
          expect(holders).toBe(1)
          holders--
          turns++
          await racer.send('release')
        }
      }),
    )
  })
})

describe('A directory that cannot hold a journal', () => {
  const unusable = { code: 'JOURNAL_UNUSABLE' }

  it('is named in the error if it is a file', async () => {
    const file = join(directory, 'file')
    writeFileSync(file, '')
    await expect(journals.open(file)).rejects.toMatchObject(unusable)
    await expect(journals.open(file)).rejects.toThrow(file)
    await expect(journals.open(join(file, 'below'))).rejects.toMatchObject(unusable)
  })

  it('is named in the error if it is not writable', async () => {
    chmodSync(directory, 0o555)
    // Root can write to any directory, so another user tries.
    const identity = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
    const child = new ChildProcess('journal-process.ts', [], identity)
    expect(await child.send('open', directory)).toBe('JOURNAL_UNUSABLE')
    await child.end()
    chmodSync(directory, 0o755)
  })

  it('is named in the error if it holds something else, and is not locked afterwards', async () => {
    mkdirSync(join(directory, 'lmdb'))
    writeFileSync(join(directory, 'lmdb', 'data.mdb'), Buffer.alloc(8192, 'not a database'))
    await expect(journals.open(directory)).rejects.toMatchObject(unusable)
    await expect(journals.open(directory)).rejects.toThrow(
      /can't be opened: .*data.mdb is damaged, or was not written by this program; move it away .* copy if there is one$/,
    )
  })
})
