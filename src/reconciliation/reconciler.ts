/**
 * Asks a provider for receipts and messages that its callbacks did not deliver. A provider makes each callback only
 * once, so what the connector missed has to be queried.
 *
 * Three tasks share one account's API (reconcile-client.ts): the status of messages on the watch list is polled, and the
 * provider's outbound and inbound message logs are scanned. Answers go into the journal unchanged and through the same
 * pipeline as a callback, which publishes new items and suppresses duplicates. Each request is built from durable state
 * just before it is sent, so the tasks keep hardly any state in memory and a restart continues where the last run
 * stopped.
 */
import type { ReconcileConfig } from '../config/types.js'
import type { ReconcileEndpoint } from '../core/observers.js'
import { retry } from '../core/retry.js'
import type { ConnectionOptions } from '../http-client/connection.js'
import { MessageLogScanner } from './message-log-scanner.js'
import { ReconcileClient, type ReconcileClientDeps } from './reconcile-client.js'
import { ReconcileReporter } from './reconcile-reporter.js'
import { StatusPoller } from './status-poller.js'

export interface ReconcilerOptions extends ReconcileConfig {
  readonly source: string
  /**
   * Milliseconds before now that a scan reaches back at most after a long absence. It must be shorter than the time for
   * which published items are remembered: older items would look new and be published twice.
   */
  readonly maxLookBackMs: number
  /** The default suits pages of a hundred rows. */
  readonly connection?: ConnectionOptions
}

export type ReconcilerDeps = Omit<ReconcileClientDeps, 'reporter'>

const DEFAULT_CONNECTION: ConnectionOptions = { timeout: 30_000, maxAnswer: 16 * 1024 * 1024 }
/** Delays after errors grow up to `every`, but the longest delay stays between these bounds. */
const LONGEST_DELAY_MIN_MS = 10_000
const LONGEST_DELAY_MAX_MS = 300_000

export class Reconciler {
  readonly #stopping = new AbortController()
  readonly #deps: ReconcilerDeps
  readonly #reporter: ReconcileReporter
  readonly #client: ReconcileClient
  readonly #statusPoller: StatusPoller
  readonly #outboundScanner: MessageLogScanner
  readonly #inboundScanner: MessageLogScanner
  #running: Promise<unknown> | undefined

  constructor(options: ReconcilerOptions, deps: ReconcilerDeps) {
    const { signal } = this.#stopping
    this.#deps = deps
    this.#reporter = new ReconcileReporter(options.source, deps)
    const longestDelayMs = Math.min(Math.max(options.every, LONGEST_DELAY_MIN_MS), LONGEST_DELAY_MAX_MS)
    const clientOptions = { connection: DEFAULT_CONNECTION, ...options, longestDelayMs }
    this.#client = new ReconcileClient(clientOptions, { ...deps, reporter: this.#reporter }, signal)
    const taskDeps = {
      ...deps,
      client: this.#client,
      reporter: this.#reporter,
      protocol: deps.provider.reconcile,
      watchList: deps.journal.watchList,
    }
    this.#statusPoller = new StatusPoller(options, taskDeps, signal)
    this.#outboundScanner = new MessageLogScanner('outbound', options, taskDeps, signal)
    this.#inboundScanner = new MessageLogScanner('inbound', options, taskDeps, signal)
  }

  /** Starts the three tasks. Only the first call of a reconciler has an effect. */
  start(): void {
    if (this.#running !== undefined) return
    this.#reporter.report()
    this.#running = Promise.all([
      this.#repeat('status', () => this.#statusPoller.poll()),
      this.#repeat('outbound', () => this.#outboundScanner.scan()),
      this.#repeat('inbound', () => this.#inboundScanner.scan()),
    ])
  }

  /**
   * Ends all three tasks. A request under way is aborted, which loses nothing because the answer can be requested again.
   * Resolves once answers that had already arrived completely are in the journal.
   */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#client.close()
    await this.#running
    this.#reporter.report('stopped')
  }

  /** Runs a task again and again until `stop` is called. @param task returns the milliseconds before its next run */
  async #repeat(endpoint: ReconcileEndpoint, task: () => Promise<number>): Promise<void> {
    const { clock } = this.#deps
    const { signal } = this.#stopping
    const backoff = this.#client.createBackoff()
    const shouldRetry = (error: unknown): boolean => {
      this.#client.recordInternalError(endpoint, error)
      return true
    }
    while (!signal.aborted) {
      // Only `stop` makes `retry` reject.
      const pauseMs = await retry(task, { clock, backoff, signal, shouldRetry }).catch(() => 0)
      backoff.reset()
      await clock.sleep(pauseMs, signal)
    }
  }
}
