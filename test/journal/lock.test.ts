/** One process holds a journal; the kernel lets go of it when that process dies. */
import { chmodSync, linkSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { lockDirectory } from '../../src/journal/directory-lock.js'
import { Child, killAll } from './support/children.js'
import { Journals } from './support/journals.js'

// Real processes take a second to start, and more on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

const journals = new Journals()
let directory: string

beforeEach(() => {
  directory = journals.directory()
})
afterEach(async () => {
  await killAll()
  await journals.dispose()
})

/** A socket that nobody listens on any more, as a killed process leaves it. */
async function leaveBehind(where: string, name: string): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(join(where, 'dies'), resolve))
  linkSync(join(where, 'dies'), join(where, name))
  await new Promise((resolve) => server.close(resolve))
}

describe('a journal that a process holds', () => {
  it('is refused to another, which is told what to do, until the first lets go', async () => {
    const journal = await journals.open(directory)
    const other = new Child('holder.ts')
    expect(await other.ask('open', directory)).toBe('JOURNAL_HELD')
    await expect(journals.open(directory)).rejects.toThrow(
      `the journal in ${directory} is held by another process; stop that one, or give this one a journal.directory`,
    )
    await journals.close(journal)
    expect(await other.ask('open', directory)).toBe('got')
    await expect(journals.open(directory)).rejects.toMatchObject({ code: 'JOURNAL_HELD' })
    expect(await other.ask('release')).toBe('released')
    await journals.open(directory)
  })

  it('is free once that process is killed', async () => {
    const holder = new Child('holder.ts')
    expect(await holder.ask('open', directory)).toBe('got')
    await expect(journals.open(directory)).rejects.toMatchObject({ code: 'JOURNAL_HELD' })
    await holder.kill()
    await journals.open(directory)
  })

  it('leaves nothing behind that grows: one file, an ordinary one once it is closed', async () => {
    for (let i = 0; i < 5; i++) await journals.close(await journals.open(directory))
    await leaveBehind(directory, 'lock-0a1b2c3d')
    const lock = await lockDirectory(directory)
    expect(readdirSync(directory).filter((name) => name.startsWith('lock'))).toEqual(['lock.6'])
    await lock.release()
    const [left] = readdirSync(directory, { withFileTypes: true }).filter(({ name }) => name.startsWith('lock'))
    expect(left?.isFile()).toBe(true)
  })

  it('is held in a directory with a path longer than a socket address as well', async () => {
    const deep = join(directory, 'x'.repeat(120), 'y'.repeat(120))
    const journal = await journals.open(deep)
    const other = new Child('holder.ts')
    expect(await other.ask('open', deep)).toBe('JOURNAL_HELD')
    await journals.close(journal)
    expect(await other.ask('open', deep)).toBe('got')
    await other.kill()
    await journals.open(deep)
  })

  it('keeps files that only look like its own', async () => {
    for (const name of ['lock', 'lock.txt', 'locksmith', 'lock-notes']) writeFileSync(join(directory, name), '')
    const lock = await lockDirectory(directory)
    expect(readdirSync(directory).sort()).toEqual(['lock', 'lock-notes', 'lock.1', 'lock.txt', 'locksmith'])
    await lock.release()
  })
})

describe('processes that race for a lock', () => {
  it('find one winner, whatever a killed process left: 40 times', async () => {
    const racers = [0, 1, 2].map(() => new Child('holder.ts'))
    for (let round = 0; round < 40; round++) {
      const where = join(directory, String(round))
      mkdirSync(where)
      if (round % 4 > 0) await leaveBehind(where, 'lock.1')
      if (round % 4 > 1) await leaveBehind(where, 'lock.2')
      if (round % 4 > 2) await leaveBehind(where, 'lock-00000000')
      const said = await Promise.all(racers.map((racer) => racer.ask('lock', where)))
      expect(said.sort(), `round ${round}`).toEqual(['JOURNAL_HELD', 'JOURNAL_HELD', 'got'])
      await Promise.all(racers.map((racer) => racer.ask('release')))
    }
    await Promise.all(racers.map((racer) => racer.end()))
  })

  it('hand it from one to the next and are never in it together', async () => {
    const racers = [0, 1, 2].map(() => new Child('holder.ts'))
    let holders = 0
    let turns = 0
    await Promise.all(
      racers.map(async (racer) => {
        while (turns < 60) {
          if ((await racer.ask('lock', directory)) !== 'got') continue
          holders++
          await racer.ask('wait')
          expect(holders).toBe(1)
          holders--
          turns++
          await racer.ask('release')
        }
      }),
    )
  })
})

describe('a directory that no journal can be in', () => {
  const unusable = { code: 'JOURNAL_UNUSABLE' }

  it('is named when it is a file', async () => {
    const file = join(directory, 'file')
    writeFileSync(file, '')
    await expect(journals.open(file)).rejects.toMatchObject(unusable)
    await expect(journals.open(file)).rejects.toThrow(file)
    await expect(journals.open(join(file, 'below'))).rejects.toMatchObject(unusable)
  })

  it('is named when it can not be written', async () => {
    chmodSync(directory, 0o555)
    // Root may write anywhere: another user tries.
    const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
    const child = new Child('holder.ts', [], nobody)
    expect(await child.ask('open', directory)).toBe('JOURNAL_UNUSABLE')
    await child.end()
    chmodSync(directory, 0o755)
  })

  it('is named when what is in it is no journal, and is not held then', async () => {
    mkdirSync(join(directory, 'lmdb'))
    writeFileSync(join(directory, 'lmdb', 'data.mdb'), Buffer.alloc(8192, 'not a database'))
    await expect(journals.open(directory)).rejects.toMatchObject(unusable)
    await expect(journals.open(directory)).rejects.toThrow(`the journal in ${directory} can't be opened`)
  })
})
