/**
 * Writes of the journal that fail for another reason than a full disk. A library that is loaded before the C library makes
 * them fail, in a process of its own.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { ChildProcess, killChildProcesses } from './support/child-process.js'
import { Journals } from './support/journals.js'

vi.setConfig({ testTimeout: 60_000 })

const work = mkdtempSync(join(tmpdir(), 'failing-disk-'))
const library = join(work, 'failing-disk.so')

/** Why these tests are skipped; null where they run. */
const skipReason = ((): string | null => {
  if (process.platform !== 'linux') return 'requires Linux'
  try {
    const source = fileURLToPath(new URL('../../dev/fault-injection/failing-disk.c', import.meta.url))
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, source, '-ldl'], { stdio: 'ignore' })
    return null
  } catch {
    return 'requires a C compiler'
  }
})()

afterAll(() => rmSync(work, { recursive: true }))

const title = `Journal on a failing disk${skipReason === null ? '' : ` (${skipReason})`}`

describe.skipIf(skipReason !== null)(title, () => {
  const journals = new Journals()
  let directory: string
  let holder: ChildProcess

  /** A write fails while there is a file of this name and its kind. */
  const faultFile = join(work, 'fails')
  const KINDS = ['data', 'sync', 'root', 'readonly'] as const
  const breakDisk = (kind: (typeof KINDS)[number]): void => writeFileSync(`${faultFile}.${kind}`, '')
  const repairDisk = (): void => {
    for (const kind of KINDS) rmSync(`${faultFile}.${kind}`, { force: true })
  }

  beforeEach(async () => {
    directory = journals.directory()
    const env = { LD_PRELOAD: library, FAILING_DISK: faultFile }
    holder = new ChildProcess('journal-process.ts', [], { env, discardStderr: true })
    expect(await holder.send('open', directory)).toBe('opened')
    expect(await holder.send('append', 'CALLBACK', 'before')).toBe('appended')
  })
  afterEach(async () => {
    repairDisk()
    await killChildProcesses()
    await journals.dispose()
  })

  const bodiesAfterReopening = async (): Promise<string[]> => {
    const journal = await journals.open(directory, { clock: systemClock })
    return journal.read(-1, { entries: 100, bytes: 1e9 }).map(({ body }) => Buffer.from(body).toString())
  }

  it.each(['data', 'sync', 'readonly'] as const)(
    'acknowledges nothing while the disk fails, and takes entries again afterwards (%s)',
    async (kind) => {
      breakDisk(kind)
      expect(await holder.send('append', 'CALLBACK', 'refused')).toBe('JOURNAL_WRITE_FAILED')
      expect(await holder.send('append', 'PULL', 'refused')).toBe('JOURNAL_WRITE_FAILED')
      repairDisk()
      expect(await holder.send('append', 'PULL', 'after')).toBe('appended')
      await holder.kill()
      expect(await bodiesAfterReopening()).toEqual(['before', 'after'])
    },
  )

  it.each(['data', 'sync'] as const)('stores nothing of a batch while the disk fails (%s)', async (kind) => {
    breakDisk(kind)
    expect(await holder.send('append-all', 'refused', 'refused')).toBe('JOURNAL_WRITE_FAILED')
    await holder.kill()
    repairDisk()
    expect(await bodiesAfterReopening()).toEqual(['before'])
  })

  it('rejects every write for good, and gives the reason, once the meta page could not be written', async () => {
    breakDisk('root')
    expect(await holder.send('append', 'CALLBACK', 'refused')).toBe('JOURNAL_UNUSABLE')
    repairDisk()
    expect(await holder.send('append', 'CALLBACK', 'refused')).toBe('JOURNAL_UNUSABLE')
    expect(await holder.send('append', 'PULL', 'refused')).toBe('JOURNAL_UNUSABLE')
    expect(await holder.send('refusal-reason')).toMatch(
      /can't write the journal's meta page: .*; check the disk, then restart/,
    )
    expect(await holder.send('release')).toBe('released')
    await holder.end()
    expect((await bodiesAfterReopening())[0]).toBe('before')
  })
})
