/** `journal status|list|export` on a volume that is mounted read-only, as a copy or a snapshot of one often is. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CommandResult, runCommand } from '../../dev/connector/command.js'
import { mountError, SmallDisk } from '../../dev/fault-injection/small-disk.js'
import { systemClock } from '../../src/core/clock.js'
import { LmdbJournal } from '../../src/journal/lmdb-journal.js'
import { ChildProcess, killChildProcesses } from '../journal/support/child-process.js'

const MIB = 1024 ** 2
const title = `A journal on a read-only mount${mountError === null ? '' : ` (${mountError})`}`

describe.skipIf(mountError !== null)(title, () => {
  let disk: SmallDisk
  let directory: string
  let folder: string

  beforeEach(() => {
    disk = new SmallDisk(24 * MIB)
    directory = join(disk.path, 'journal')
    folder = mkdtempSync(join(tmpdir(), 'dlrmo-read-only-'))
  })
  afterEach(async () => {
    await killChildProcesses()
    disk.unmount()
    rmSync(folder, { recursive: true, force: true })
  })

  const run = (command: string, ...args: string[]): Promise<CommandResult> =>
    runCommand(['journal', command, '--directory', directory, ...args], { cwd: folder })

  const mountReadOnly = (): void => void execFileSync('mount', ['-o', 'remount,ro', disk.path])

  const expectReadable = async (bodies: readonly string[]): Promise<void> => {
    const status = await run('status', '--json')
    expect(status).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(status.stdout)).toMatchObject({ ok: true, entries: bodies.length, heldBy: null })
    const list = await run('list', '--json')
    expect(list).toMatchObject({ code: 0, stderr: '' })
    expect(list.stdout.trimEnd().split('\n')).toHaveLength(bodies.length)
    const output = join(folder, 'export.jsonl')
    expect((await run('export', '--offline', '--output', output)).code).toBe(0)
    const lines = readFileSync(output, 'utf8').trimEnd().split('\n')
    const entries = lines.slice(1, -1).map((line) => JSON.parse(line) as { body: string })
    expect(entries.map(({ body }) => Buffer.from(body, 'base64').toString())).toEqual(bodies)
  }

  it('is shown, listed and exported whole after its connector has ended', { timeout: 120_000 }, async () => {
    const duplicates = { rememberForMs: 3_600_000, maxIds: 1_000 }
    const options = { directory, maxBytes: 16 * MIB, reserveBytes: 0, duplicates, clock: systemClock }
    const journal = await LmdbJournal.open(options)
    const bodies = Array.from({ length: 20 }, (_, number) => `body ${number}`)
    for (const body of bodies) {
      const facts = { method: 'POST', path: '/callbacks/a', query: '' }
      const received = { source: 'a', provider: 'seven', via: 'CALLBACK', receivedAt: 1, facts } as const
      await journal.append({ ...received, body: Buffer.from(body) })
    }
    await journal.close()
    mountReadOnly()
    await expectReadable(bodies)
    // What writes says that it can't.
    await expect(LmdbJournal.open(options)).rejects.toMatchObject({ code: 'JOURNAL_UNUSABLE' })
  })

  it('is shown, listed and exported whole after its process was killed', { timeout: 120_000 }, async () => {
    const holder = new ChildProcess('journal-process.ts')
    expect(await holder.send('open', directory)).toBe('opened')
    expect(await holder.send('append', 'CALLBACK', 'first')).toBe('appended')
    expect(await holder.send('append', 'PULL', 'second')).toBe('appended')
    await holder.kill()
    mountReadOnly()
    await expectReadable(['first', 'second'])
  })
})
