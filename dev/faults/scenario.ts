/** A kind of fault, and what it works with while it runs. */
import { setTimeout as delay } from 'node:timers/promises'
import type { LaunchOptions } from '../connector/connector-process.js'
import type { GuardedChild } from '../guarded-child.js'
import { LoadGenerator } from '../oracle/load-generator.js'
import type { TopicRecord } from '../oracle/topic-reader.js'
import { sendBurst, type BurstReport } from '../simulators/callback-burst.js'
import type { Random } from '../simulators/random.js'
import type { SevenCallbacks } from '../simulators/seven-callbacks.js'
import type { BrokerHandle, RegistryHandle } from '../stack/index.js'
import { untilPublished, type Trial, type TrialConfiguration, type TrialStack } from '../trial.js'
import { until } from '../wait.js'

/** Exit code of a process that was ended by SIGKILL: 128 + 9. */
const KILLED = 137
const PUBLISH_TIMEOUT_MS = 60_000
/** After the last fault everything must be published within this time. */
const SETTLE_TIMEOUT_MS = 120_000

export interface FaultStack extends TrialStack {
  /** Undefined if others use the broker and the registry too, so that they must not be harmed. */
  readonly broker?: BrokerHandle
  readonly registry?: RegistryHandle
}

export type Delivery = 'exactly-once' | 'at-least-once'

/** A kind of fault. A scenario that needs something of its own, such as a proxy, prepares it before each run. */
export type Scenario = ScenarioProperties & (PreparedScenario | PreparingScenario)

interface ScenarioProperties {
  /** The name on the command line and in docs/reliability.md. */
  readonly name: string
  /** What is done, in a phrase. */
  readonly description: string
  /** What the scenario needs beside a broker and a registry. */
  readonly needs?: 'own stack' | 'three brokers' | 'a C compiler' | 'a small disk'
  /** The only delivery mode in which the scenario makes sense. */
  readonly onlyDelivery?: Delivery
  /** Whether the scenario takes so long that it runs only if it is named on the command line. */
  readonly onlyByName?: boolean
  /** Whether the contract allows duplicates here, each under the event id of the first record. */
  readonly mayDouble?: boolean
}

interface PreparingScenario {
  /** Called before the connector is configured. */
  prepare(conditions: RunConditions): Promise<PreparedScenario> | PreparedScenario
}

export interface RunConditions {
  readonly stack: FaultStack
  readonly random: Random
  readonly delivery: Delivery
}

export interface RunOptions {
  readonly seed: number
  readonly delivery?: Delivery
  /** The length of the run; 1 is the long form. */
  readonly scale?: number
  /** Called with lines for people: progress and measurements. */
  readonly log?: (text: string) => void
}

export interface PreparedScenario {
  /** Replaces the stack that was given. */
  readonly stack?: FaultStack
  /** Changes the configuration of the connector. */
  readonly configure?: (configuration: TrialConfiguration) => void
  /** The faults. What is published in the end is checked afterwards. */
  readonly injectFaults: (run: ScenarioRun) => Promise<void>
  /** Called at the end of the run, whatever its result is. */
  readonly cleanUp?: () => Promise<void> | void
}

/** The trial of a scenario with its load, and the operations by which the scenario injects faults. */
export class ScenarioRun {
  readonly trial: Trial
  readonly load: LoadGenerator
  readonly random: Random
  /** How often each fault was injected. */
  readonly faults = new Map<string, number>()
  /** Exit codes with which the connector may end by itself, beside 0 and being killed. */
  readonly expectedExitCodes = new Set<number>()
  /** What went wrong apart from what the oracle finds. */
  readonly problems: string[] = []
  /** Shows a measurement to the person who waits for the run. */
  readonly log: (text: string) => void
  /** The records of topics that do not exist any more at the end of the run. */
  readonly recordsOfDeletedTopics: TopicRecord[] = []
  /** Event ids of dead letters that the scenario caused and replayed. The oracle expects their items on the other topics. */
  readonly replayedDeadLetters = new Set<string>()
  /** The callbacks that reach the connector, and those of other instances that a scenario starts. */
  readonly callbacks: SevenCallbacks[]
  /** Overridden by a scenario with several instances. */
  callbackTarget: (caller: number) => SevenCallbacks | undefined
  burstSize = 0
  readonly #scale: number
  #child: GuardedChild | undefined
  #launchOptions: LaunchOptions = {}

  constructor(trial: Trial, random: Random, { seed, scale, log }: Required<Omit<RunOptions, 'delivery'>>) {
    this.trial = trial
    this.random = random
    this.log = log
    this.#scale = scale
    this.callbacks = [trial.seven]
    this.callbackTarget = () => (this.isUp ? trial.seven : undefined)
    this.load = new LoadGenerator(trial.mtarget, (caller) => this.callbackTarget(caller), { seed })
  }

  get isUp(): boolean {
    return this.trial.connector.isRunning
  }

  countFault(fault: string, times = 1): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + times)
  }

  /** A number of the long form, reduced for a shorter run. */
  scaled(times: number): number {
    return Math.max(1, Math.round(times * this.#scale))
  }

  /** Waits for a random time. */
  pause(fromMs: number, toMs: number): Promise<void> {
    return delay(this.random.integer(fromMs, toMs))
  }

  /** Starts the connector, and resolves as soon as its process exists. */
  async launch(options: LaunchOptions = {}): Promise<void> {
    this.#prepareStart(options)
    this.#child = await this.trial.connector.launch(options)
  }

  /** Starts the connector, and resolves when it takes callbacks. */
  async start(options: LaunchOptions = {}): Promise<void> {
    this.#prepareStart(options)
    this.#child = await this.trial.connector.start(options)
  }

  /** Does nothing when the connector does not run. */
  signal(name: NodeJS.Signals): void {
    if (this.isUp) this.#child?.signal(name)
  }

  /** Ends the connector by SIGTERM, which must succeed. */
  async terminate(): Promise<void> {
    const code = await this.trial.connector.terminate()
    if (code !== 0) await this.#reportExit(`After SIGTERM the connector ended with code ${code}`)
  }

  /** Pauses the load, and resolves when everything is published. */
  async drain(): Promise<void> {
    await this.load.pause()
    await untilPublished(this.trial)
  }

  async kill(): Promise<void> {
    if (!this.isUp) return this.checkExitCode()
    await this.trial.connector.kill()
    this.countFault('kill -9')
  }

  async killAndRestart(): Promise<void> {
    await this.kill()
    await this.start()
  }

  /** Starts the connector and kills it, during its start or within `maxUptimeMs` after it became ready. */
  async startAndKill(maxUptimeMs = 1_500): Promise<void> {
    if (this.random.chance(0.25)) {
      await this.launch()
      await this.pause(0, 1_500)
    } else {
      await this.start()
      await this.pause(0, maxUptimeMs)
    }
    await this.kill()
  }

  /** Reports a problem if the connector ended by itself with an unexpected code. */
  async checkExitCode(): Promise<void> {
    const code = this.trial.connector.exitCode
    if (code === undefined || code === KILLED || code === 0 || this.expectedExitCodes.has(code)) return
    await this.#reportExit(`The connector ended with code ${code}`)
  }

  /**
   * Waits until a module in the connector has killed it, and kills it after `timeoutMs` at the latest.
   * @returns whether the module did so
   */
  async untilKilledFromWithin(timeoutMs: number): Promise<boolean> {
    const child = this.#child
    if (!child) return false
    const hasEnded = await until(() => child.exitCode !== undefined, timeoutMs).then(
      () => true,
      () => false,
    )
    if (!hasEnded) {
      await this.kill()
      return false
    }
    await this.checkExitCode()
    if (child.exitCode !== KILLED) return false
    this.countFault('kill -9')
    return true
  }

  /**
   * Waits until more is published than before. A connector that has ended is started again.
   * @throws Error when nothing is published within `timeoutMs`
   */
  async untilMoreIsPublished(timeoutMs = PUBLISH_TIMEOUT_MS): Promise<void> {
    let before = await this.#publishedEvents()
    const isMorePublished = async (): Promise<boolean> => {
      if ((await this.#publishedEvents()) > before) return true
      if (!this.isUp) {
        await this.checkExitCode()
        await this.start(this.#launchOptions)
        before = 0
      }
      return false
    }
    await until(isMorePublished, timeoutMs).catch(async (error: unknown) => {
      const status = JSON.stringify(await this.trial.status().catch(String))
      throw new Error(`Nothing was published within ${timeoutMs} ms: ${status}`, { cause: error })
    })
  }

  /** Ends the load, lets the connector publish everything, and ends it. */
  async settle(): Promise<void> {
    await this.load.stop()
    if (!this.isUp) {
      await this.checkExitCode()
      await this.start()
    }
    await untilPublished(this.trial, SETTLE_TIMEOUT_MS).catch(async (error: unknown) => {
      const status = JSON.stringify(await this.trial.status().catch(String))
      throw new Error(`The connector did not publish everything after the last fault: ${status}`, { cause: error })
    })
    await this.terminate()
  }

  /** Sends `count` receipts as fast as the connector takes them. @throws Error when one is not answered with 200 */
  async sendBurst(count: number): Promise<BurstReport> {
    const report = await sendBurst({ url: this.trial.callbackUrl, first: this.burstSize, count, connections: 64 })
    if (report.refused > 0) throw new Error(`${report.refused} of ${count} callbacks were not answered with 200`)
    this.burstSize += count
    return report
  }

  #prepareStart(options: LaunchOptions): void {
    if (this.isUp) throw new Error('the scenario starts a connector that is running')
    this.trial.mtarget.noteClientRestart()
    this.#launchOptions = options
  }

  /** Returns -1 when the connector cannot be asked. */
  #publishedEvents(): Promise<number> {
    return this.trial.sum('dlrmo_events_published_total').catch(() => -1)
  }

  async #reportExit(problem: string): Promise<void> {
    this.problems.push(`${problem}: ${await this.trial.connector.endOfLog(5)}`)
  }
}
