/**
 * The composition root: builds the parts, starts them, stops them in reverse.
 *
 * Start: journal, then everything that operators look at, then publishing, then intake. Kafka and the registry are not
 * waited for. Stop: intake, then publishing until the journal is empty or `shutdownGrace` is over, then the journal.
 */
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import type { Logger } from 'pino'
import type { Clock } from '../core/clock.js'
import type { Config, SourceConfig } from '../config/types.js'
import { CallbackServer } from '../callbacks/callback-server.js'
import { LmdbJournal } from '../journal/lmdb-journal.js'
import {
  observeCallbacks,
  observePipeline,
  observePulls,
  observeReconciling,
  observeSharing,
  type TelemetryDeps,
} from './telemetry.js'
import { AdminServer } from '../admin/admin-server.js'
import { Metrics } from '../admin/metrics.js'
import { Status } from '../admin/status.js'
import { Pipeline, type PipelineDeps } from '../pipeline/pipeline.js'
import { providers } from '../providers/index.js'
import type { Provider } from '../providers/provider.js'
import { buildEncoder, buildPublisher } from './publishing.js'
import { pollerFor } from './polling.js'
import { reconcilerFor, watchHandler } from './reconciliation.js'
import { standaloneScheduler, buildReplica, type WorkScheduler } from './replicas.js'
import type { Replica, SourceWork } from '../replicas/replica.js'

export interface AppOptions {
  readonly config: Config
  readonly clock: Clock
  readonly log: Logger
  readonly version: string
  /** False for `run --drain`: nothing is taken in. */
  readonly intake: boolean
}

/** Bytes kept free for releases where no page has to find room: LMDB needs some pages to forget others. */
const LEAST_RESERVE = 16 * 1024 * 1024
/** Milliseconds that what is under way at the broker may take once nobody waits for it any more. */
const LAST_COMMIT = 2_000
/** Milliseconds for callbacks that are being received when the listener closes. */
const LAST_CALLBACKS = 5_000

export class App {
  readonly #options: AppOptions
  readonly #journal: LmdbJournal
  readonly #observe: TelemetryDeps
  readonly #admin: AdminServer
  readonly #callbacks: CallbackServer | undefined
  readonly #replica: Replica | undefined
  readonly #labour: WorkScheduler
  readonly #works: readonly SourceWork[]
  readonly #pipeline: Pipeline
  readonly #stopPublishing = new AbortController()
  readonly #whenEmpty = new Set<() => void>()
  #publishing: Promise<void> = Promise.resolve()

  /** @throws ConnectorError JOURNAL_HELD, JOURNAL_UNUSABLE; CONFIG_INVALID: a port can't be opened */
  static async start(options: AppOptions): Promise<App> {
    const journal = await openJournal(options)
    const app = new App(options, journal)
    try {
      await app.#start()
      return app
    } catch (error) {
      await app.stop()
      throw error
    }
  }

  private constructor(options: AppOptions, journal: LmdbJournal) {
    const { config, clock, log, version, intake } = options
    const sources = intake ? [...config.sources.values()] : []
    this.#options = options
    this.#journal = journal
    const metrics = new Metrics(journal, clock)
    const status = new Status({
      instance: config.instance,
      version,
      sources: sources.map(factsOf),
      journal,
      journalMaxBytes: config.journal.maxBytes,
      group: config.sharing?.group,
      clock,
    })
    const observe = (this.#observe = { metrics, status, log, clock })
    const sharing = observeSharing(observe)
    const replica = (this.#replica = buildReplica(config, { journal, clock, log, observer: sharing }))
    const watch = watchHandler(config, { journal, clock, added: () => replica?.watchAdded() })
    this.#admin = new AdminServer(config.admin, { status, metrics, log, watch })
    const source = decodableSources(config)
    const pulling = { journal, clock, log, observer: observePulls(observe) }
    const queryGateFor = replica && ((name: string) => replica.queryGate(name))
    const reconciling = { journal, source, clock, log, observer: observeReconciling(observe), queryGateFor }
    this.#labour = replica ?? standaloneScheduler(sharing)
    this.#works = sources.map((each) => ({
      source: each.name,
      poll: pollerFor(each, pulling),
      reconcile: reconcilerFor(each, config, reconciling),
    }))
    this.#callbacks = sources.some(({ callback }) => callback)
      ? new CallbackServer(
          { ...config.callbacks, sources },
          { journal, clock, log, observer: observeCallbacks(observe) },
        )
      : undefined
    const { encoder, gate } = buildEncoder(config, clock, log)
    this.#pipeline = new Pipeline({
      journal,
      encoder,
      publisher: buildPublisher(config, clock, log),
      findSource: source,
      clock,
      syncPublished: replica && ((entries, signal) => replica.syncPublished(entries, signal)),
      observer: observePipeline(observe, {
        onRelease: () => this.#released(),
        registryConfirms: () => gate.isConfirmed,
        personalData: config.log.personalData,
      }),
    })
    for (const { source: name, ...ways } of sources.map(factsOf)) metrics.begin(name, ways)
  }

  /** Settles when publishing has ended: rejects with PRODUCER_REPLACED, else after `stop`. */
  get published(): Promise<void> {
    return this.#publishing
  }

  /** Resolves when nothing is left in the journal, or when the signal aborts. */
  async empty(signal: AbortSignal): Promise<void> {
    if (this.#journal.stats().entries === 0 || signal.aborted) return
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#whenEmpty.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#whenEmpty.add(done)
      signal.addEventListener('abort', done)
    })
  }

  /** @param hurry aborts every wait that only serves to get more published */
  async stop(hurry: AbortSignal = AbortSignal.abort()): Promise<void> {
    const { config, clock, log } = this.#options
    this.#observe.status.phase('stopping')
    this.#callbacks?.drain()
    const pulled = this.#labour.stop(hurry)
    await clock.sleep(config.callbacks.drainDelay, hurry)
    await this.#callbacks?.close(LAST_CALLBACKS)
    await pulled
    await this.#finishPublishing(hurry)
    await this.#replica?.close()
    const { entries } = this.#journal.stats()
    if (entries > 0) log.info({ entries }, 'entries stay in the journal for the next start')
    await this.#admin.close()
    await this.#journal.close()
  }

  async #start(): Promise<void> {
    const { config, log, version, intake } = this.#options
    const admin = await this.#admin.listen()
    this.#publishing = this.#pipeline.run(this.#stopPublishing.signal)
    this.#publishing.catch(() => undefined) // whoever asks for `published` gets it
    const callbacks = await this.#callbacks?.listen()
    if (intake) this.#labour.start(this.#works)
    if (intake) this.#observe.status.phase('running')
    const listening = { admin: addressOf(admin), ...(callbacks && { callbacks: addressOf(callbacks) }) }
    const journal = {
      journal: this.#journal.id,
      directory: resolve(config.journal.directory),
      ...this.#journal.stats(),
    }
    log.info({ version, ...listening, ...journal }, 'running')
  }

  async #finishPublishing(hurry: AbortSignal): Promise<void> {
    const { config, clock } = this.#options
    const enough = new AbortController()
    const grace = clock.sleep(config.shutdownGrace, AbortSignal.any([hurry, enough.signal]))
    const ended = this.#publishing.catch(() => undefined)
    await Promise.race([this.empty(AbortSignal.any([hurry, enough.signal])), grace, ended])
    enough.abort()
    this.#stopPublishing.abort()
    // What the broker still has not answered then is found out by the position at the next start.
    const patience = new AbortController()
    await Promise.race([ended, clock.sleep(LAST_COMMIT, patience.signal)])
    patience.abort()
  }

  #released(): void {
    if (this.#whenEmpty.size > 0 && this.#journal.stats().entries === 0) for (const done of this.#whenEmpty) done()
  }
}

const addressOf = ({ address, port }: AddressInfo): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`

function openJournal({ config, clock, log }: AppOptions): Promise<LmdbJournal> {
  const { directory, maxBytes } = config.journal
  const largest = Math.max(0, ...[...config.sources.values()].map(({ pull }) => pull?.maxAnswer ?? 0))
  return LmdbJournal.open({
    directory,
    maxBytes,
    reserveBytes: Math.max(largest, LEAST_RESERVE),
    duplicates: { rememberFor: config.duplicates.remember, maxIds: config.duplicates.maxIds },
    clock,
    onWarning: (message, error) => log.error({ err: error }, message),
  })
}

/** Also of sources that are not taken from any more: their entries may still be in the journal. */
function decodableSources(config: Config): PipelineDeps['findSource'] {
  const known = new Map(
    [...config.sources.values()].map(({ name, provider, textFields, ignoreEvents, reconcile }) => [
      name,
      // Where replicas share the work, the one that reconciles learns what to watch from the topic (replicas/topic-follower.ts).
      {
        provider: providerOf(provider),
        settings: { textFields, ignoreEvents },
        updatesWatchList: reconcile !== undefined && config.sharing === undefined,
      },
    ]),
  )
  return (name) => known.get(name)
}

const factsOf = ({ name, provider, pull, callback, reconcile }: SourceConfig) => ({
  source: name,
  provider,
  pull: pull !== undefined,
  callback: callback !== undefined,
  reconcile: reconcile !== undefined,
})

const providerOf = (name: string): Provider => {
  const provider = providers.get(name)
  if (!provider) throw new Error(`no provider ${name}`) // the configuration has been checked
  return provider
}
