/** An encrypted journal under a connector that is killed, whose key is rotated, lost and given again. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { runCommand } from '../../dev/connector/command.js'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { startTrial, untilPublished, type Trial } from '../../dev/trial.js'
import { expectEachItemOnce, sendReceipts } from '../support/trial-assertions.js'

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
/** A port on which no broker listens. */
const NO_BROKER = '127.0.0.1:1'
const KEY = 'a'.repeat(64)
const NEW_KEY = Buffer.alloc(32, 9).toString('base64')

let trial: Trial
afterEach(() => trial?.stop())

const run = (...args: string[]) => runCommand([...args, '--config', 'connector.yaml'], { cwd: trial.folder })

const encryptionStatus = async (...args: string[]): Promise<unknown> => {
  const { stdout } = await run('journal', 'status', '--json', ...args)
  return (JSON.parse(stdout) as { encryption: unknown }).encryption
}

describe('A connector whose journal is encrypted', () => {
  it(
    'keeps every entry over a kill, a rotation and a start without the key, and publishes each once',
    { timeout: 180_000 },
    async () => {
      const data = new ProviderData(141)
      trial = await startTrial(stack, ({ kafka, journal }) => {
        kafka['brokers'] = [NO_BROKER]
        journal['encryption'] = { key: KEY }
      })
      await trial.connector.start()
      await sendReceipts(trial, data, 10)
      await trial.connector.kill()
      await trial.configure(({ journal }) => (journal['encryption'] = { key: NEW_KEY, previousKeys: [KEY] }))
      await trial.connector.start()
      await sendReceipts(trial, data, 5)
      await trial.connector.kill()

      const file = await readFile(join(trial.folder, 'journal/lmdb/data.mdb'), 'latin1')
      for (const text of ['msg_id', 'seven-main', 'DELIVERED']) expect(file).not.toContain(text)
      const { keys } = (await encryptionStatus()) as { keys: { entries: number; isKnown: boolean }[] }
      expect(keys.map(({ entries, isKnown }) => [entries, isKnown])).toEqual([
        [10, true],
        [5, true],
      ])

      await trial.configure(({ journal }) => (journal['encryption'] = { key: NEW_KEY }))
      for (const command of [['run'], ['run', '--drain']]) {
        const { code, stderr } = await run(...command)
        expect(code).toBe(2)
        expect(stderr).toMatch(/holds 10 entries encrypted with key [0-9a-f]{16}, which is not given/)
        expect(stderr).not.toContain(KEY)
      }
      const checked = JSON.parse((await run('check', '--json')).stdout) as { checks: { name: string; ok: boolean }[] }
      expect(checked.checks.find(({ name }) => name === 'journal')?.ok).toBe(false)
      expect((await run('journal', 'export', '--offline')).code).toBe(2)

      await writeFile(join(trial.folder, 'old-key'), `${KEY}\n`)
      const withKeyFile = ['--encryption-key-file', 'old-key']
      const exported = await run('journal', 'export', '--offline', '--output', 'export.jsonl', '--json', ...withKeyFile)
      expect(JSON.parse(exported.stdout)).toMatchObject({ ok: true, entries: 15, unreadable: 0 })
      expect((await run('journal', 'list', ...withKeyFile)).stdout.match(/1 dlr/g)).toHaveLength(15)

      await trial.configure(({ kafka, journal }) => {
        kafka['brokers'] = [...stack.brokers]
        journal['encryption'] = { previousKeys: [KEY, NEW_KEY] }
      })
      await trial.connector.start()
      await sendReceipts(trial, data, 5)
      await untilPublished(trial)
      expectEachItemOnce(trial, await trial.readAll())
      expect(await encryptionStatus()).toMatchObject({ currentKey: null, plainEntries: 0, keys: [] })
    },
  )

  it('writes what a command hands in encrypted as well', { timeout: 120_000 }, async () => {
    trial = await startTrial(stack, ({ kafka }) => (kafka['brokers'] = [NO_BROKER]))
    await trial.connector.start()
    await sendReceipts(trial, new ProviderData(142), 3)
    await trial.connector.kill()
    expect((await run('journal', 'export', '--offline', '--output', 'export.jsonl')).code).toBe(0)
    await trial.configure(({ journal }) => {
      journal['directory'] = 'other'
      journal['encryption'] = { key: KEY }
    })
    expect((await run('journal', 'import', 'export.jsonl')).code).toBe(0)
    expect(await encryptionStatus()).toMatchObject({ plainEntries: 0, keys: [{ entries: 3, isKnown: true }] })
    expect(await readFile(join(trial.folder, 'other/lmdb/data.mdb'), 'latin1')).not.toContain('msg_id')
  })
})
