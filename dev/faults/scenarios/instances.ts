/** Two processes under one instance name: the younger publishes, the older stops, and what each took comes out once. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ConnectorProcess, type ConnectorAddresses } from '../../connector/connector-process.js'
import { freePort } from '../../ports.js'
import { SevenCallbacks } from '../../simulators/seven-callbacks.js'
import { type TrialConfiguration } from '../../trial.js'
import { until } from '../../wait.js'
import type { ScenarioRun, Preparation, Scenario } from '../scenario-run.js'

/** What a connector ends with that was replaced. */
const REPLACED = 4
/** How long the older may take to notice, ms. */
const PATIENCE = 40_000

export const instances: Scenario = {
  name: 'instances',
  about: 'a second process under the same name, with a journal and callbacks of its own, back and forth',
  only: 'exactly-once',
  prepare: () => {
    let whole: TrialConfiguration | undefined
    const prepared: Preparation = { change: (configuration) => (whole = configuration), configuration: () => whole }
    return Promise.resolve(prepared)
  },
  async faults(ground) {
    const other = await Other.beside(ground)
    const { trial } = ground
    ground.expectedCodes.add(REPLACED)
    // Each caller stays with one of them: a receipt that comes to both may come out twice, see promise 5.
    ground.target = (caller) => {
      if (caller % 2 === 0) return ground.isUp ? trial.seven : undefined
      return other.isUp ? other.seven : undefined
    }
    ground.lane = (caller) => String(caller % 2)
    try {
      await ground.start()
      ground.load.start()
      await ground.untilPublishingGoesOn()
      for (let round = 0; round < ground.scaled(4); round++) {
        await other.connector.start()
        await oneIsReplaced(ground, other)
        await ground.wait(200, 1_000)
        if (!ground.isUp) await ground.start()
        if (other.isUp) await oneIsReplaced(ground, other)
        // Mostly gone by now.
        if (other.isUp) await other.connector.terminate()
        if (!ground.isUp) await ground.start()
      }
      await ground.drain()
      await ground.terminate()
      await other.connector.start()
      await until(() => other.isEmpty(), PATIENCE)
      const code = await other.connector.terminate()
      if (code !== 0) ground.complaints.push(`the second instance ended with code ${code}`)
    } finally {
      await other.connector.kill()
      other.seven.stop()
    }
  },
}

/**
 * Of two one stops: the older – unless a request of its own was never answered, on a busy machine. Then it can't be
 * certain who fenced it and opens a new producer, and it is the younger one that is replaced (src/kafka/fencing.ts).
 */
async function oneIsReplaced(ground: ScenarioRun, other: Other): Promise<void> {
  const { connector } = ground.trial
  await until(() => !ground.isUp || !other.isUp, PATIENCE)
  const stopped = [connector, other.connector].filter(({ exitCode }) => exitCode !== undefined)
  for (const { exitCode } of stopped) {
    if (exitCode !== REPLACED) ground.complaints.push(`a connector that was replaced ended with code ${exitCode}`)
  }
  ground.count('replaced', stopped.length)
}

class Other {
  readonly connector: ConnectorProcess
  readonly seven: SevenCallbacks
  readonly #addresses: ConnectorAddresses

  private constructor(connector: ConnectorProcess, seven: SevenCallbacks, addresses: ConnectorAddresses) {
    this.connector = connector
    this.seven = seven
    this.#addresses = addresses
  }

  static async beside({ trial, prepared }: ScenarioRun): Promise<Other> {
    const folder = join(trial.folder, 'other')
    await mkdir(folder)
    const addresses = { callbacksPort: await freePort(), adminPort: await freePort() }
    const { sources, ...rest } = (prepared['configuration'] as () => TrialConfiguration)()
    const connector = await ConnectorProcess.configure(folder, addresses, {
      ...rest,
      callbacks: { host: '127.0.0.1', port: addresses.callbacksPort },
      admin: { port: addresses.adminPort },
      sources: { 'seven-main': sources['seven-main'] },
    })
    const url = new URL(trial.callbackUrl)
    url.port = String(addresses.callbacksPort)
    return new Other(connector, new SevenCallbacks({ url: url.href }), addresses)
  }

  get isUp(): boolean {
    return this.connector.pid !== undefined && this.connector.exitCode === undefined
  }

  async isEmpty(): Promise<boolean> {
    const answer = await fetch(`http://127.0.0.1:${this.#addresses.adminPort}/status.json`)
    return ((await answer.json()) as { journal: { entries: number } }).journal.entries === 0
  }
}
