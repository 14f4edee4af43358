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
import type { ReconcileEndpoint } from '../core/observers.js'
import { retry } from '../core/retry.js'
import { MessageLogScanner } from './message-log-scanner.js'
import { ReconcileClient, type ReconcileClientDeps, type ReconcilerOptions } from './reconcile-client.js'
import { ReconcileReporter } from './reconcile-reporter.js'
import { StatusPoller } from './status-poller.js'

export type ReconcilerDeps = Omit<ReconcileClientDeps, 'reporter' | 'stopSignal'>

export class Reconciler {
  readonly #stopping = new AbortController()
  readonly #deps: ReconcilerDeps
  readonly #reporter: ReconcileReporter
  readonly #client: ReconcileClient
  readonly #tasks: Readonly<Record<ReconcileEndpoint, { run(): Promise<number> }>>
  #running: Promise<unknown> | undefined

  constructor(options: ReconcilerOptions, deps: ReconcilerDeps) {
    this.#deps = deps
    this.#reporter = new ReconcileReporter(options.source, deps)
    const clientDeps = { ...deps, reporter: this.#reporter, stopSignal: this.#stopping.signal }
    this.#client = new ReconcileClient(options, clientDeps)
    const taskDeps = { ...clientDeps, client: this.#client }
    this.#tasks = {
      status: new StatusPoller(options, taskDeps),
      outbound: new MessageLogScanner('outbound', options, taskDeps),
      inbound: new MessageLogScanner('inbound', options, taskDeps),
    }
  }

  /** Starts the three tasks. Only the first call of a reconciler has an effect. */
  start(): void {
    if (this.#running !== undefined) return
    this.#reporter.report()
    this.#running = Promise.all([this.#repeat('status'), this.#repeat('outbound'), this.#repeat('inbound')])
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

  /** Runs a task again and again until `stop` is called. */
  async #repeat(endpoint: ReconcileEndpoint): Promise<void> {
    const { clock } = this.#deps
    const { signal } = this.#stopping
    const task = this.#tasks[endpoint]
    const backoff = this.#client.createBackoff()
    const shouldRetry = (error: unknown): boolean => {
      this.#client.recordInternalError(endpoint, error)
      return true
    }
    while (!signal.aborted) {
      const run = retry(() => task.run(), { clock, backoff, signal, shouldRetry })
      // It rejects only if `stop` is called after an error.
      const pauseMs = await run.catch(() => 0)
      backoff.reset()
      await clock.sleep(pauseMs, signal)
    }
  }
}
