/** Where a run of faults takes place: a trial under load, and what is done to it. */
import { setTimeout as delay } from 'node:timers/promises'
import type { LaunchOptions } from '../connector/connector-process.js'
import type { GuardedChild } from '../guarded-child.js'
import type { Random } from '../simulators/random.js'
import type { BrokerHandle, RegistryHandle } from '../stack/index.js'
import { type Trial, type TrialConfiguration, type TrialStack, untilPublished } from '../trial.js'
import type { LoadGenerator, Target } from '../oracle/load-generator.js'
import type { Found } from '../oracle/oracle.js'

export interface FaultStack extends TrialStack {
  /** Absent where they are not ours to harm. */
  readonly broker?: BrokerHandle
  readonly registry?: RegistryHandle
}

export type Delivery = 'exactly-once' | 'at-least-once'

/** One kind of run. */
export interface Scenario {
  readonly name: string
  /** What is done, in a phrase. */
  readonly about: string
  /** What it needs beside a broker and a registry. */
  readonly needs?: 'own stack' | 'three brokers' | 'a C compiler' | 'a small disk'
  /** Only the mode that it makes sense in. */
  readonly only?: Delivery
  /** Takes long: only when asked for by its name. */
  readonly byNameOnly?: boolean
  /** Where the contract allows doubles, each with the event id of the first. */
  readonly mayDouble?: boolean
  /** The registry forgets ids: what they meant can't be asked at the end. */
  readonly registryForgets?: boolean
  /** Before the connector is configured; what is returned is called at the very end. */
  prepare?(stack: FaultStack, random: Random): Promise<Preparation>
  faults(ground: ScenarioRun): Promise<void>
}

export interface Preparation {
  /** Instead of the one that was given. */
  readonly stack?: FaultStack
  readonly change?: (configuration: TrialConfiguration) => void
  readonly end?: () => Promise<void> | void
  readonly [more: string]: unknown
}

export interface ScenarioRunDeps {
  readonly trial: Trial
  readonly load: LoadGenerator
  readonly random: Random
  readonly stack: FaultStack
  readonly prepared: Preparation
  readonly delivery: Delivery
  /** 1: as in the long form. Less: so much shorter. */
  readonly scale: number
  readonly say: (text: string) => void
}

export class ScenarioRun {
  readonly trial: Trial
  readonly load: LoadGenerator
  readonly random: Random
  readonly stack: FaultStack
  readonly prepared: Preparation
  readonly delivery: Delivery
  /** How often what was done. */
  readonly counts = new Map<string, number>()
  /** Exit codes that a connector may end with by itself, beside being killed. */
  readonly expectedCodes = new Set<number>()
  readonly complaints: string[] = []
  /** Tells whoever waits what was measured. */
  readonly say: (text: string) => void
  /** Records of topics that are no longer there at the end. */
  readonly earlier: Found[] = []
  /** Whom the callers call; the connector of the trial while it runs, unless a scenario has others. */
  target: (caller: number) => Target | undefined = () => (this.isUp ? this.trial.seven : undefined)
  /** At which instance the calls of a caller arrive: order is promised for each. */
  lane: (caller: number) => string = () => ''
  readonly #scale: number
  #child: GuardedChild | undefined
  #options: LaunchOptions = {}

  constructor({ trial, load, random, stack, prepared, delivery, scale, say }: ScenarioRunDeps) {
    this.trial = trial
    this.load = load
    this.random = random
    this.stack = stack
    this.prepared = prepared
    this.delivery = delivery
    this.#scale = scale
    this.say = say
  }

  get isUp(): boolean {
    return this.trial.connector.pid !== undefined && this.trial.connector.exitCode === undefined
  }

  count(fault: string, times = 1): void {
    this.counts.set(fault, (this.counts.get(fault) ?? 0) + times)
  }

  /** A number for the long form, made smaller for a shorter one. */
  scaled(times: number): number {
    return Math.max(1, Math.round(times * this.#scale))
  }

  wait(from: number, to: number): Promise<void> {
    return delay(this.random.integer(from, to))
  }

  /** Starts the connector, once the one before is gone; resolves as soon as there is a process. */
  async launch(options: LaunchOptions = {}): Promise<GuardedChild> {
    if (this.isUp) throw new Error('the connector was launched while it ran')
    // A request of the new process does not prove that the old one had its last page.
    this.trial.mtarget.noteClientRestart()
    this.#options = options
    return (this.#child = await this.trial.connector.launch(options))
  }

  /** The same; resolves when it takes callbacks. */
  async start(options: LaunchOptions = {}): Promise<void> {
    if (this.isUp) throw new Error('the connector was started while it ran')
    this.trial.mtarget.noteClientRestart()
    this.#options = options
    this.#child = await this.trial.connector.start(options)
  }

  /** No error when it is gone already. */
  signal(name: NodeJS.Signals): void {
    if (this.isUp) this.#child?.signal(name)
  }

  /** SIGTERM; it must end with 0. */
  async terminate(): Promise<void> {
    const code = await this.trial.connector.terminate()
    if (code !== 0)
      this.complaints.push(`SIGTERM ended it with code ${code}: ${await this.trial.connector.endOfLog(5)}`)
  }

  /** No more load, and everything published. */
  async drain(): Promise<void> {
    this.load.pause()
    await delay(200) // what is under way
    await untilPublished(this.trial)
  }

  async kill(): Promise<void> {
    if (!this.isUp) return this.ended()
    await this.trial.connector.kill()
    this.count('kill -9')
  }

  async killAndRestart(): Promise<void> {
    await this.kill()
    await this.start()
  }

  /** One life of the connector: it is killed while it starts, or within `longest` ms of being ready. */
  async liveAndDie(longest = 1_500): Promise<void> {
    if (this.random.chance(0.25)) {
      await this.launch()
      await this.wait(0, 1_500)
    } else {
      await this.start()
      await this.wait(0, longest)
    }
    await this.kill()
  }

  /** It has ended by itself: was that to be expected? */
  async ended(): Promise<void> {
    const code = this.trial.connector.exitCode
    if (code === undefined || code === KILLED || code === 0 || this.expectedCodes.has(code)) return
    this.complaints.push(`the connector ended with code ${code}: ${await this.trial.connector.endOfLog(5)}`)
  }

  /**
   * Waits until it has killed itself, or kills it after `patience` ms.
   * @returns whether it did so itself
   */
  async untilDead(patience: number): Promise<boolean> {
    const child = this.#child
    if (!child) return false
    const enough = new AbortController()
    const late = delay(patience, false, { signal: enough.signal }).catch(() => false)
    const itself = await Promise.race([child.exited.then(() => true), late])
    enough.abort()
    if (itself) {
      await this.ended()
      if (child.exitCode === KILLED) this.count('kill -9')
      return child.exitCode === KILLED
    }
    await this.kill()
    return false
  }

  async #published(): Promise<number> {
    try {
      return await this.trial.sum('dlrmo_events_published_total')
    } catch {
      return -1 // it is not there to be asked
    }
  }

  /**
   * Waits until more was published than before, at most `patience` ms. A connector that has ended is started again.
   * @throws Error when nothing was
   */
  async untilPublishingGoesOn(patience = 60_000): Promise<void> {
    const giveUpAt = Date.now() + patience
    let before = await this.#published()
    while ((await this.#published()) <= before) {
      if (!this.isUp) {
        await this.ended()
        await this.start(this.#options)
        before = 0
      }
      if (Date.now() > giveUpAt) {
        const status = JSON.stringify(await this.trial.status().catch(String))
        throw new Error(`nothing was published within ${patience} ms: ${status}`)
      }
      await delay(50)
    }
  }
}

/** 128 + SIGKILL */
const KILLED = 137
