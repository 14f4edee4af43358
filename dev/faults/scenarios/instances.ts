/** Two processes under one instance name: the younger one publishes and the older one stops. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ConnectorProcess } from '../../connector/connector-process.js'
import { freePort } from '../../ports.js'
import { SevenCallbacks } from '../../simulators/seven-callbacks.js'
import type { Trial, TrialConfiguration } from '../../trial.js'
import { until } from '../../wait.js'
import type { Scenario, ScenarioRun } from '../scenario.js'

/** Exit code of a connector whose producer was fenced by another process. */
const FENCED = 4
/** The older process notices within this time that it was fenced. */
const FENCING_TIMEOUT_MS = 40_000

export const instances: Scenario = {
  name: 'instances',
  description: 'a second process starts under the same name, with a journal and callbacks of its own, alternately',
  onlyDelivery: 'exactly-once',
  prepare: () => {
    let configuration: TrialConfiguration | undefined
    return {
      configure: (complete) => {
        configuration = complete
      },
      async injectFaults(run) {
        const second = await SecondInstance.configure(run.trial, configuration!)
        try {
          await alternate(run, second)
        } finally {
          await second.connector.kill()
          second.seven.stop()
        }
      },
    }
  },
}

async function alternate(run: ScenarioRun, second: SecondInstance): Promise<void> {
  const { trial } = run
  run.expectedExitCodes.add(FENCED)
  run.callbacks.push(second.seven)
  // Each caller calls only one of the two, because a receipt that reaches both may be published twice (promise 5).
  run.callbackTarget = (caller) => {
    if (caller % 2 === 0) return run.isUp ? trial.seven : undefined
    return second.connector.isRunning ? second.seven : undefined
  }
  await run.start()
  run.load.start()
  await run.untilMoreIsPublished()
  for (let round = 0; round < run.scaled(4); round++) {
    await second.connector.start()
    await untilOneIsFenced(run, second)
    await run.pause(200, 1_000)
    if (!run.isUp) await run.start()
    if (second.connector.isRunning) await untilOneIsFenced(run, second)
    if (second.connector.isRunning) await second.connector.terminate()
    if (!run.isUp) await run.start()
  }
  await run.drain()
  await run.terminate()
  await second.connector.start()
  await until(async () => (await second.connector.status()).journal.entries === 0, FENCING_TIMEOUT_MS)
  const code = await second.connector.terminate()
  if (code !== 0) run.problems.push(`The second instance ended with code ${code}`)
}

/**
 * One of the two stops. It is the older one, unless one of its requests was never answered, as happens on a busy machine.
 * Then it cannot know who fenced it and opens a new producer, which fences the younger process (src/kafka/fencing.ts).
 */
async function untilOneIsFenced(run: ScenarioRun, second: SecondInstance): Promise<void> {
  const connectors = [run.trial.connector, second.connector]
  await until(() => connectors.some(({ isRunning }) => !isRunning), FENCING_TIMEOUT_MS)
  const ended = connectors.filter(({ exitCode }) => exitCode !== undefined)
  for (const { exitCode } of ended) {
    if (exitCode !== FENCED) run.problems.push(`A connector that was fenced ended with code ${exitCode}`)
  }
  run.countFault('fenced', ended.length)
}

/** A connector with the same name as that of the trial. It takes callbacks only. */
class SecondInstance {
  readonly connector: ConnectorProcess
  readonly seven: SevenCallbacks

  private constructor(connector: ConnectorProcess, seven: SevenCallbacks) {
    this.connector = connector
    this.seven = seven
  }

  static async configure(trial: Trial, { sources, ...configuration }: TrialConfiguration): Promise<SecondInstance> {
    const folder = join(trial.folder, 'second')
    await mkdir(folder)
    const addresses = { callbacksPort: await freePort(), adminPort: await freePort() }
    const connector = await ConnectorProcess.configure(folder, addresses, {
      ...configuration,
      callbacks: { host: '127.0.0.1', port: addresses.callbacksPort },
      admin: { port: addresses.adminPort },
      sources: { 'seven-main': sources['seven-main'] },
    })
    const url = new URL(trial.callbackUrl)
    url.port = String(addresses.callbacksPort)
    return new SecondInstance(connector, new SevenCallbacks({ url: url.href }))
  }
}
