/** The commands `journal status`, `list` and `export`, beside a connector under load and on what it left behind. */
import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { runCommand } from '../../dev/connector/command.js'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { startTrial, untilPublished, type Trial } from '../../dev/trial.js'
import { expectEachItemOnce, sendReceipts } from '../support/trial-assertions.js'

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
/** A port on which no broker listens. */
const NO_BROKER = '127.0.0.1:1'

let trial: Trial
afterEach(() => trial?.stop())

const journal = (...args: string[]) =>
  runCommand(['journal', ...args, '--config', 'connector.yaml'], { cwd: trial.folder })

interface Status {
  readonly journal: string
  readonly heldBy: string | null
  readonly entries: number
  readonly sources: Readonly<Record<string, { readonly entries: number }>>
}

const status = async (): Promise<Status> => JSON.parse((await journal('status', '--json')).stdout) as Status

interface ListedEntry {
  readonly source: string
  readonly items: { readonly dlr: number }
}

const parseLines = <T>(text: string): T[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T)

describe('The journal commands', () => {
  it('read beside a connector under load, and nothing is lost or doubled', { timeout: 180_000 }, async () => {
    trial = await startTrial(stack)
    await trial.connector.start()
    const data = new ProviderData(61)
    let isSending = true
    const sending = (async (): Promise<void> => {
      while (isSending) await sendReceipts(trial, data, 100)
    })()
    try {
      expect((await status()).heldBy).toMatch(/process id \d+/)
      for (const args of [['list'], ['list', '--json', '-n', '5'], ['export', '--offline'], ['status']]) {
        expect((await journal(...args)).code).toBe(0)
      }
    } finally {
      isSending = false
      await sending
    }
    await untilPublished(trial)
    expectEachItemOnce(trial, await trial.readAll())
  })

  it(
    'show and export what a connector left behind, which a drain then publishes once',
    { timeout: 180_000 },
    async () => {
      trial = await startTrial(stack, ({ kafka }) => (kafka['brokers'] = [NO_BROKER]))
      await trial.connector.start()
      await sendReceipts(trial, new ProviderData(62), 30)
      await trial.connector.kill()

      const left = await status()
      expect(left).toMatchObject({ heldBy: null, entries: 30, sources: { 'seven-main': { entries: 30 } } })
      const listed = parseLines<ListedEntry>((await journal('list', '--json')).stdout)
      expect(listed.map(({ source, items }) => [source, items.dlr])).toEqual(
        Array.from({ length: 30 }, () => ['seven-main', 1]),
      )
      expect((await journal('list', '--source', 'other')).stdout).toBe('')

      await trial.configure(({ kafka }) => (kafka['brokers'] = [...stack.brokers]))
      const { code, stdout } = await journal('export', '--output', 'export.jsonl', '--raw', 'bodies', '--json')
      expect({ code, ...(JSON.parse(stdout) as object) }).toMatchObject({
        code: 0,
        ok: true,
        entries: 30,
        unreadable: 0,
      })
      expect((await stat(join(trial.folder, 'export.jsonl'))).mode & 0o777).toBe(0o600)
      expect((await stat(join(trial.folder, 'bodies'))).mode & 0o777).toBe(0o700)
      const lines = parseLines<Record<string, unknown>>(await readFile(join(trial.folder, 'export.jsonl'), 'utf8'))
      expect(lines[0]).toMatchObject({ journal: left.journal, instance: trial.name, releasedUpTo: -1, heldBy: null })
      expect(lines.at(-1)).toEqual({ end: true, entries: 30, unreadable: 0 })
      expect(await readdir(join(trial.folder, 'bodies'))).toHaveLength(30)
      for (const { seq, body } of lines.slice(1, -1)) {
        const raw = await readFile(join(trial.folder, 'bodies', `${String(seq)}.body`))
        expect(raw.toString('base64')).toBe(body)
      }

      expect((await runCommand(['run', '--drain', '--config', 'connector.yaml'], { cwd: trial.folder })).code).toBe(0)
      expectEachItemOnce(trial, await trial.readAll())
      expect((await status()).entries).toBe(0)
      const after = parseLines<{ position?: { upTo: number } }>((await journal('export')).stdout)
      expect(after).toHaveLength(2)
      expect(after[0]?.position?.upTo).toBe(lines.at(-2)?.['seq'])
    },
  )

  it.each([
    ['status', []],
    ['list', []],
    ['export', []],
  ])('%s ends with 2 and makes nothing where there is no journal', async (command, args) => {
    trial = await startTrial(stack)
    const { code, stderr } = await journal(command, ...args)
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringMatching(/holds no journal: there is no such/) as string,
    })
    expect(await readdir(trial.folder)).not.toContain('journal')
  })

  it('export overwrites nothing', { timeout: 60_000 }, async () => {
    trial = await startTrial(stack, ({ kafka }) => (kafka['brokers'] = [NO_BROKER]))
    await trial.connector.start()
    await sendReceipts(trial, new ProviderData(63), 1)
    await mkdir(join(trial.folder, 'bodies', 'other'), { recursive: true })
    expect(await journal('export', '--offline', '--output', 'connector.yaml')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/nothing is overwritten/) as string,
    })
    expect(await journal('export', '--offline', '--raw', 'bodies')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/is not empty/) as string,
    })
  })
})
