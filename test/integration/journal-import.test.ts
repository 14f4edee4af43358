/** `journal import` takes in what another connector left behind, with a real broker: each item is published once. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { runCommand } from '../../dev/connector/command.js'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { startTrial, type Trial, untilPublished } from '../../dev/trial.js'
import { expectEachItemOnce, sendReceipts } from '../support/trial-assertions.js'

const ENTRIES = 60
/** A port on which no broker listens. */
const NO_BROKER = '127.0.0.1:1'

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
let left: Trial
let target: Trial

beforeAll(async () => {
  left = await startTrial(stack, ({ kafka }) => (kafka['brokers'] = [NO_BROKER]))
  target = await startTrial(stack, undefined, { topics: left.topics })
})
afterAll(async () => {
  await target?.stop()
  await left?.stop()
})

const journal = ({ folder }: Trial, ...args: string[]) =>
  runCommand(['journal', ...args, '--config', 'connector.yaml'], { cwd: folder })

const summaryOf = ({ code, stdout }: Awaited<ReturnType<typeof journal>>): object => ({
  code,
  ...(JSON.parse(stdout) as object),
})

describe('journal import', () => {
  it(
    'publishes each item of a left journal once, although it runs several times, beside a connector and without, under kill -9',
    { timeout: 240_000 },
    async () => {
      await left.connector.start()
      await sendReceipts(left, new ProviderData(71), ENTRIES)
      await left.connector.kill()
      const file = join(left.folder, 'export.jsonl')
      expect((await journal(left, 'export', '--offline', '--output', file)).code).toBe(0)

      // The journal that was exported does not take its own entries, and a cut file is refused.
      expect(await journal(left, 'import', file)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('in custody there already') as string,
      })
      const cut = join(left.folder, 'cut.jsonl')
      const text = await readFile(file, 'utf8')
      await writeFile(cut, text.slice(0, text.length / 2))
      expect(await journal(target, 'import', cut)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('cut') as string,
      })

      const dryRun = summaryOf(await journal(target, 'import', file, '--dry-run', '--json'))
      expect(dryRun).toMatchObject({ code: 0, entries: ENTRIES, handedIn: ENTRIES, dryRun: true })

      // Without a connector, into a journal that the import makes.
      const half = await journal(target, 'import', cut, '--allow-incomplete', '--json')
      expect(summaryOf(half)).toMatchObject({ code: 0, ok: true })
      await target.connector.start()

      // Beside the running connector, which is killed in the middle.
      const importing = journal(target, 'import', file, '--json')
      await target.connector.kill()
      await importing
      await target.connector.start()
      for (let round = 0; round < 2; round++) {
        expect(summaryOf(await journal(target, 'import', file, '--json'))).toMatchObject({ code: 0, handedIn: ENTRIES })
      }
      await untilPublished(target)
      expectEachItemOnce(left, await target.readAll())
    },
  )
})
