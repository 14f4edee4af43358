/** `dead-letters replay` of callbacks, while the connector that it hands in to is killed, with a real broker. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { runCommand } from '../../dev/connector/command.js'
import { killAtStep } from '../../dev/faults/preload.js'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { startTrial, type Trial, untilPublished } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'
import { expectEachItemOnce, sendReceipts } from '../support/trial-assertions.js'

const RECEIPTS = 30

let trial: Trial
beforeAll(async () => {
  trial = await startTrial({ brokers: inject('brokers'), registryUrl: inject('registryUrl') })
  await trial.configure(({ kafka }) => {
    kafka['topics'] = { ...trial.topics, deadLetterReplays: `${trial.name}.replays` }
  })
})
afterAll(() => trial?.stop())

const replay = () =>
  runCommand(['dead-letters', 'replay', '--all', '--json', '--config', 'connector.yaml'], { cwd: trial.folder })

describe('dead-letters replay', () => {
  it(
    'publishes each callback once, although the connector is killed while it takes them',
    { timeout: 240_000 },
    async () => {
      // What is in custody becomes dead letters, because the configuration loses its source.
      let brokers: unknown
      let seven: Record<string, unknown> | undefined
      await trial.configure(({ kafka }) => {
        brokers = kafka['brokers']
        kafka['brokers'] = ['127.0.0.1:1']
      })
      await trial.connector.start()
      await sendReceipts(trial, new ProviderData(73), RECEIPTS)
      await trial.connector.kill()
      await trial.configure(({ kafka, sources }) => {
        kafka['brokers'] = brokers
        seven = sources['seven-main']
        delete (sources as Record<string, unknown>)['seven-main']
      })
      await trial.connector.start()
      await until(async () => (await trial.metric('dlrmo_journal_entries')) === 0)
      await trial.connector.terminate()
      await trial.configure(({ sources }) => void Object.assign(sources, { 'seven-main': seven }))

      // The connector dies after some of the entries are on disk. The command says that the last one is in doubt.
      const child = await trial.connector.start({ env: killAtStep('custody-after', 5) })
      const broken = await replay()
      expect(broken).toMatchObject({ code: 4, stderr: expect.stringContaining('it is published once') as string })
      await child.exited

      // Without a connector into the journal, and then beside one.
      expect(await replay()).toMatchObject({ code: 0 })
      await trial.connector.start()
      expect(await replay()).toMatchObject({ code: 0 })
      await untilPublished(trial)
      const records = await trial.readAll()
      expectEachItemOnce(
        trial,
        records.filter(({ topic }) => topic === trial.topics.dlr),
      )
      expect(records.filter(({ topic }) => topic === trial.topics.dlr)).toHaveLength(RECEIPTS)
      expect(await replay()).toMatchObject({ code: 0, stdout: '' })
    },
  )
})
