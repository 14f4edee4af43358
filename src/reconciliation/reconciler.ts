/**
 * Finds what a provider told us once and we did not hear: a callback is made once, and not again.
 *
 * Three loops share one account's API (reconcile-api.ts): rounds of status queries for the messages on the watch list,
 * and a walk through each of the provider's own logs, of messages sent and of messages received. Whatever they find goes
 * into the journal as it came and through the same pipeline as a callback, which publishes what is new and suppresses
 * the rest. What is asked is decided when its turn has come, from what is durable: the loops keep next to nothing in
 * memory, and a restart goes on where the last run stopped.
 */
import type { Clock } from '../core/clock.js'
import type { ConnectionOptions } from '../http-client/connection.js'
import { ReconcileClient, type ReconcileClientDeps } from './reconcile-client.js'
import { ReconcileReport } from './reconcile-report.js'
import { StatusRounds } from './status-rounds.js'
import { LogWalk } from './log-walk.js'

/** `sources.<source>.reconcile` of the configuration; times in ms. */
export interface ReconcilerOptions {
  readonly source: string
  readonly account: { readonly url: string; readonly apiKey: string }
  /** Age at which a message is first asked for. */
  readonly after: number
  readonly every: number
  readonly giveUpAfter: number
  readonly requestsPerSecond: number
  readonly log: { readonly every: number; readonly days: number }
  /** Ms that a walk of the provider's logs reaches back at most for a long absence. */
  readonly reach: number
  /** The default suits pages of a hundred rows. */
  readonly wire?: ConnectionOptions
}

export type ReconcilerDeps = ReconcileClientDeps & { readonly clock: Clock }

const WIRE: ConnectionOptions = { timeout: 30_000, maxAnswer: 16 * 1024 * 1024 }
/** Waits after errors grow up to `every`, but stay within these, in ms. */
const LONGEST_DELAY = { least: 10_000, most: 300_000 }

export class Reconciler {
  readonly #stopping = new AbortController()
  readonly #api: ReconcileClient
  readonly #report: ReconcileReport
  readonly #loops: readonly { run(): Promise<void> }[]
  #running: Promise<unknown> | undefined

  constructor(options: ReconcilerOptions, deps: ReconcilerDeps) {
    const { signal } = this.#stopping
    const { source, account, every, requestsPerSecond, wire = WIRE } = options
    const longestDelay = Math.min(Math.max(every, LONGEST_DELAY.least), LONGEST_DELAY.most)
    this.#report = new ReconcileReport(source, deps)
    this.#api = new ReconcileClient(
      { source, account, requestsPerSecond, longestDelay, ...wire },
      deps,
      this.#report,
      signal,
    )
    const shared = {
      ...deps,
      api: this.#api,
      report: this.#report,
      reconcile: deps.provider.reconcile,
      watchList: deps.journal.watchList,
    }
    this.#loops = [
      new StatusRounds(options, shared, signal),
      new LogWalk('outbound', options, shared, signal),
      new LogWalk('inbound', options, shared, signal),
    ]
  }

  /** Begins; once in a reconciler's life. */
  start(): void {
    if (this.#running !== undefined) return
    this.#report.say()
    this.#running = Promise.all(this.#loops.map((loop) => loop.run()))
  }

  /**
   * Asks no more. A request under way is given up: nothing is lost by that. Resolves when an answer that was complete
   * is in the journal.
   */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#api.end()
    await this.#running
    this.#report.say('stopped')
  }
}
