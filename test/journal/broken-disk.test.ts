/** Writes that fail for other reasons than want of room. Fault injection below the C library, in processes of their own. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { Child, killAll } from './support/children.js'
import { Journals } from './support/journals.js'

vi.setConfig({ testTimeout: 60_000 })

const work = mkdtempSync(join(tmpdir(), 'failing-disk-'))
const library = join(work, 'failing-disk.so')

/** Why there is no fault to inject; null where there is. */
const noFaults = ((): string | null => {
  if (process.platform !== 'linux') return 'it takes Linux'
  try {
    const source = fileURLToPath(new URL('../../dev/fault-injection/failing-disk.c', import.meta.url))
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, source, '-ldl'], { stdio: 'ignore' })
    return null
  } catch {
    return 'it takes a C compiler'
  }
})()

afterAll(() => rmSync(work, { recursive: true }))

describe.skipIf(noFaults !== null)(`a disk that fails${noFaults === null ? '' : ` (${noFaults})`}`, () => {
  const journals = new Journals()
  let directory: string
  let child: Child

  const flag = join(work, 'fails')
  const break_ = (what: 'data' | 'sync' | 'root' | 'readonly'): void => writeFileSync(`${flag}.${what}`, '')
  const mend = (): void => {
    for (const what of ['data', 'sync', 'root', 'readonly']) rmSync(`${flag}.${what}`, { force: true })
  }

  beforeEach(async () => {
    directory = journals.directory()
    child = new Child('holder.ts', [], { env: { LD_PRELOAD: library, FAILING_DISK: flag }, quiet: true })
    expect(await child.ask('open', directory)).toBe('got')
    expect(await child.ask('append', 'CALLBACK', 'before')).toBe('appended')
  })
  afterEach(async () => {
    mend()
    await killAll()
    await journals.dispose()
  })

  const bodiesAfterwards = async (): Promise<string[]> => {
    const journal = await journals.open(directory, { clock: systemClock })
    return journal.read(-1, { entries: 100, bytes: 1e9 }).map(({ body }) => Buffer.from(body).toString())
  }

  it.each(['data', 'sync', 'readonly'] as const)('is no acknowledgement, and no end: %s', async (what) => {
    break_(what)
    expect(await child.ask('append', 'CALLBACK', 'refused')).toBe('JOURNAL_WRITE_FAILED')
    expect(await child.ask('append', 'PULL', 'refused')).toBe('JOURNAL_WRITE_FAILED')
    mend()
    expect(await child.ask('append', 'PULL', 'after')).toBe('appended')
    await child.kill()
    expect(await bodiesAfterwards()).toEqual(['before', 'after'])
  })

  it('ends all writing when the root page is struck, with a sentence, and nothing hangs', async () => {
    break_('root')
    expect(await child.ask('append', 'CALLBACK', 'refused')).toBe('JOURNAL_UNUSABLE')
    mend()
    expect(await child.ask('append', 'CALLBACK', 'refused')).toBe('JOURNAL_UNUSABLE')
    expect(await child.ask('append', 'PULL', 'refused')).toBe('JOURNAL_UNUSABLE')
    expect(await child.ask('refusal')).toMatch(/can't write the journal's meta page: .*; check the disk, then restart/)
    expect(await child.ask('release')).toBe('released')
    await child.end()
    expect((await bodiesAfterwards())[0]).toBe('before')
  })
})
