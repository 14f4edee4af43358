/** Many accounts in one process: an error of one account does not affect the others. */
import { afterEach, describe, expect, inject, it } from 'vitest'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { MtargetSimulator } from '../../dev/simulators/mtarget.js'
import { startTrial, type Trial } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
const GOOD = Array.from({ length: 9 }, (_, index) => `account-${index}`)
const ROWS = 600

let trial: Trial
const simulators: MtargetSimulator[] = []
afterEach(async () => {
  await trial?.stop()
  await Promise.all(simulators.splice(0).map((simulator) => simulator.stop()))
})

const queue = async (options?: Parameters<typeof MtargetSimulator.start>[0]): Promise<MtargetSimulator> => {
  const simulator = await MtargetSimulator.start(options)
  simulators.push(simulator)
  return simulator
}

const source = (url: string, idleDelay: string, password = 'secret') => ({
  provider: 'mtarget',
  pull: { url, username: 'demo', password, idleDelay, timeout: '5s' },
})

describe('With eleven accounts, of which one has a wrong password and one hangs', () => {
  it('nine are pulled at full speed, and the wrong one is logged once, shown in metrics and status, and recovers by itself', async () => {
    const queues = await Promise.all(GOOD.map(() => queue()))
    const wrong = await queue({ password: 'changed' })
    const hanging = await queue()
    hanging.fault({ hang: 'before' }, 1000)
    wrong.enqueue(new ProviderData(99).mtargetReceipts(20))
    queues.forEach((each, index) => each.enqueue(new ProviderData(index).mtargetReceipts(ROWS)))
    trial = await startTrial(stack, (configuration) => {
      GOOD.forEach((name, index) => (configuration.sources[name] = source(queues[index]!.url, '3m')))
      configuration.sources['wrong'] = source(wrong.url, '1s')
      configuration.sources['hanging'] = source(hanging.url, '1s')
    })
    await trial.connector.start()

    await until(() => queues.every((each) => each.queued === 0), 30_000)
    // The pages followed each other without a delay: one idleDelay is longer than the timeout above.
    for (const each of queues) {
      expect(each.answers.slice(0, -1).every(({ rows, outcome }) => outcome === 'page' && rows.length > 0)).toBe(true)
    }
    await until(() => wrong.answers.length >= 4, 30_000)
    expect(wrong.queued).toBe(20)
    expect(await trial.metric('dlrmo_pull_requests_total{source="wrong",outcome="account-error"}')).toBeGreaterThan(2)
    const stateOfWrong = async () => (await trial.status()).sources.find((each) => each.source === 'wrong')?.pull
    // The poller waits between attempts most of the time.
    await until(async () => (await stateOfWrong())?.state === 'backing-off', 10_000)
    expect((await stateOfWrong())?.lastError).toMatch(/credential/i)
    const warnings = (await trial.log()).filter((line) => line['source'] === 'wrong' && line.level === 'warn')
    expect(warnings).toHaveLength(1)

    await trial.connector.terminate()
    const before = wrong.answers.length
    await trial.configure((configuration) => (configuration.sources['wrong'] = source(wrong.url, '1s', 'changed')))
    await trial.connector.start()
    await until(() => wrong.queued === 0, 30_000)
    expect(wrong.answers[before]?.outcome).toBe('page')

    await until(async () => (await trial.metric('dlrmo_journal_entries')) === 0, 30_000)
    const published = (await trial.readAll()).map(({ value }) => value['source'] as string)
    for (const name of GOOD) expect(published.filter((each) => each === name)).toHaveLength(ROWS)
    expect(published.filter((each) => each === 'wrong')).toHaveLength(20)
    expect(published).toHaveLength(GOOD.length * ROWS + 20)
  }, 120_000)
})
