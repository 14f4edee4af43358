/**
 * The composition root: builds the parts from the configuration, starts them, and stops them in reverse order.
 *
 * Start: the journal, the admin server, publishing, the callbacks server, pulling and reconciling. Nothing waits for
 * Kafka or the registry. Stop: callbacks, pulling and reconciling; publishing, when the journal is empty or
 * `shutdownGrace` has passed; the admin server and the journal.
 *
 * A reload compares the configuration with the one in use, and replaces just what differs. Nothing of it is on disk, so a
 * process that is killed during a reload starts as after any other kill.
 */
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { AdminServer } from '../admin/admin-server.js'
import { Metrics } from '../admin/metrics.js'
import { Status } from '../admin/status.js'
import type { EntriesHandler } from '../admin/entries-request.js'
import type { WatchHandler } from '../admin/watch-request.js'
import { CallbackServer, type CallbackServerOptions } from '../callbacks/callback-server.js'
import { diffConfigs, needsRestart } from '../config/reload.js'
import type { Config, SourceConfig } from '../config/types.js'
import { configurationWarnings } from '../config/warnings.js'
import { orAborted, orTimeout } from '../core/abort.js'
import type { Clock } from '../core/clock.js'
import { ConnectorError, hasCode, messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import type { LmdbJournal } from '../journal/lmdb-journal.js'
import { createCompressor } from '../kafka/compression.js'
import { ReplayMarkReader } from '../kafka/replay-mark-reader.js'
import { Pipeline } from '../pipeline/pipeline.js'
import type { Replica } from '../replicas/replica.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import { type SourceWork, standaloneScheduler, type WorkScheduler } from '../replicas/work-scheduler.js'
import { connectionsWithin, readOpenFilesLimit } from './file-handles.js'
import { findReplacedJournal } from './journal-identity.js'
import { openJournal } from './open-journal.js'
import { buildEncoder, buildPublisher, type Encoding, kafkaSettings, registrySettings } from './publishing.js'
import { buildReplica } from './replicas.js'
import { decodersOf, SourceFinder } from './source-finder.js'
import { pollerFor, reconcilerFor } from './source-work.js'
import {
  observeCallbacks,
  observeHandedIn,
  observePipeline,
  observePublisher,
  observePulls,
  observeReconciling,
  observeSharing,
  observeTelemetry,
} from './telemetry.js'

export interface AppOptions {
  /** The configuration at the start. `reload` replaces it. */
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly version: string
  /** True for `run --drain`: the journal is published, and nothing is received. */
  readonly drainOnly: boolean
  /** Returns how many lines of the log were dropped because standard output did not take them. */
  readonly droppedLogLines: () => number
  /** Undefined if no telemetry is exported. The caller closes it after the app has stopped. */
  readonly otlp?: Telemetry | undefined
}

/** What asks for a reload. */
export type ReloadTrigger = 'SIGHUP' | 'file'

/** How long requests that are under way to the broker may take after the signal that stops publishing. */
const LAST_COMMIT_TIMEOUT_MS = 2_000
/** How long callbacks that are being received may take after the listener has closed. */
const OPEN_CALLBACKS_TIMEOUT_MS = 5_000

export class App {
  readonly #options: AppOptions
  /** The configuration in use. */
  #config: Config
  readonly #journal: LmdbJournal
  readonly #metrics: Metrics
  readonly #status: Status
  readonly #admin: AdminServer
  readonly #createCallbackServer: (config: Config) => CallbackServer
  #callbacks: CallbackServer | undefined
  readonly #replica: Replica | undefined
  readonly #scheduler: WorkScheduler
  readonly #sourceFinder: SourceFinder
  readonly #createWork: (source: SourceConfig, config: Config) => SourceWork
  #works: readonly SourceWork[]
  readonly #replayMarks: ReplayMarkReader
  readonly #publisher: ReturnType<typeof buildPublisher>
  /** What the pipeline encodes with, and what it will encode with once it has taken over the configuration. */
  #encoding: Encoding
  #configuredEncoding: Encoding
  readonly #pipeline: Pipeline
  readonly #openFilesLimit = readOpenFilesLimit()
  readonly #stopPublishing = new AbortController()
  /** Called when the journal becomes empty. */
  readonly #onEmpty = new Set<() => void>()
  #publishing: Promise<void> = Promise.resolve()
  #releasedItems = 0
  /** The entries that were left when the journal was closed; undefined before that. */
  #entriesLeft: number | undefined

  /** @throws ConnectorError JOURNAL_HELD, JOURNAL_UNUSABLE; CONFIG_INVALID: a port can't be opened */
  static async start(options: AppOptions): Promise<App> {
    // The journal learns that it is an older copy only when publishing begins, so the app exists by then.
    const app: App = new App(
      options,
      await openJournal(options.config, options, (warning) => app.#warnOfJournal('journal-older-copy', warning)),
    )
    try {
      await app.#start()
      return app
    } catch (error) {
      await app.stop(AbortSignal.abort())
      throw error
    }
  }

  private constructor(options: AppOptions, journal: LmdbJournal) {
    const { config, clock, log, version, otlp } = options
    this.#config = config
    this.#options = options
    const sources = this.#receivedSources(config)
    const metrics = new Metrics(journal, clock, options.droppedLogLines)
    void metrics.setSources(sources)
    const status = new Status({
      instance: config.instance,
      version,
      sources,
      journal,
      journalMaxBytes: config.journal.maxBytes,
      group: config.sharing?.group,
      callbackRefusal: () => this.#callbacks?.refusalReason() ?? null,
      clock,
    })
    metrics.readWatchListUsage = () => journal.watchList.usage()
    metrics.readCallbackUsage = () => this.#callbacks?.usage()
    const telemetry = { metrics, status, log, clock }
    this.#journal = journal
    this.#metrics = metrics
    this.#status = status

    for (const signal of otlp?.signals ?? []) metrics.createTelemetrySeries(signal)
    otlp?.connect(metrics.registry, observeTelemetry(telemetry))
    const tracing = otlp?.tracing

    const deps = { journal, clock, log, tracing }
    const sharingObserver = observeSharing(telemetry)
    const replica = buildReplica(() => this.#config, { ...deps, observer: sharingObserver })
    this.#replica = replica
    this.#scheduler = replica ?? standaloneScheduler(sharingObserver)
    const addToWatchList: WatchHandler = async (source, messageIds) => {
      if (this.#config.sources.get(source)?.reconcile === undefined) return 'unknown-source'
      const problem = journal.dataFileProblem
      if (problem !== null) throw new ConnectorError('JOURNAL_WRITE_FAILED', problem)
      if (!journal.watchList.hasRoomFor(messageIds.length)) return 'too-many'
      await journal.watchList.add(source, messageIds, clock.now())
      replica?.relayWatched()
      return 'accepted'
    }
    const observeReplays = observeHandedIn(telemetry)
    const handInEntries: EntriesHandler = async (entries) => {
      await journal.appendAll(entries)
      observeReplays(entries)
    }
    this.#admin = new AdminServer(config.admin, { status, metrics, log, addToWatchList, handInEntries })

    this.#sourceFinder = new SourceFinder(config)
    const findSource = (name: string, provider?: string) => this.#sourceFinder.find(name, provider)
    const pollerDeps = { ...deps, observer: observePulls(telemetry) }
    const reconcilerDeps = { ...deps, findSource, replica, observer: observeReconciling(telemetry) }
    this.#createWork = (source, ofConfig) => {
      const { provider } = findSource(source.name, source.provider)!
      return {
        source: source.name,
        poll: pollerFor(source, provider, ofConfig, pollerDeps),
        reconcile: reconcilerFor(source, provider, ofConfig, reconcilerDeps),
      }
    }
    this.#works = sources.map((each) => this.#createWork(each, config))
    const callbackDeps = { ...deps, observer: observeCallbacks(telemetry) }
    this.#createCallbackServer = (ofConfig) => new CallbackServer(this.#callbackOptions(ofConfig), callbackDeps)
    if (takesCallbacks(sources)) this.#callbacks = this.#createCallbackServer(config)

    this.#encoding = buildEncoder(config, clock, log)
    this.#configuredEncoding = this.#encoding
    this.#publisher = buildPublisher(config, clock, log, observePublisher(telemetry))
    this.#replayMarks = new ReplayMarkReader({ settings: kafkaSettings(config), clock, log })
    this.#pipeline = new Pipeline({
      journal,
      encoder: {
        ready: () => this.#encoding.encoder.ready(),
        encode: (event, origin) => this.#encoding.encoder.encode(event, origin),
      },
      publisher: this.#publisher,
      findSource,
      clock,
      tracing,
      replayMarks: this.#replayMarks,
      syncPublished: replica && ((entries, signal) => replica.syncPublished(entries, signal)),
      observer: observePipeline(telemetry, {
        onRelease: (items) => {
          this.#releasedItems += items
          this.#notifyIfEmpty()
        },
        isRegistryConfirmed: () => this.#encoding.gate.isConfirmed,
        schemaWarnings: () => this.#encoding.gate.warnings,
        personalData: config.log.personalData,
      }),
    })
  }

  /** Rejects with PRODUCER_REPLACED if another process took over publishing. Resolves after `stop`. */
  get publishing(): Promise<void> {
    return this.#publishing
  }

  /** The entries in the journal, and the items that were published or suppressed as duplicates since the start. */
  get counts(): { readonly entries: number | undefined; readonly items: number } {
    return { entries: this.#entriesLeft ?? this.#countEntries(), items: this.#releasedItems }
  }

  /** Resolves when the journal is empty, or when the signal aborts. */
  async untilEmpty(signal: AbortSignal): Promise<void> {
    if (this.#countEntries() === 0) return
    const emptied = new Promise<void>((resolve) => this.#onEmpty.add(resolve))
    await orAborted(emptied, signal)
  }

  /**
   * Takes over another configuration: all of it, or nothing. What is under way ends as it began, with the secrets and settings of
   * before: a callback gets its answer, a pull is read to its end and journaled, a transaction is committed.
   *
   * The outcome is in the log, the status and the metrics.
   * @param load loads the configuration, or throws ConnectorError CONFIG_INVALID
   * @param trigger what asks for it, for the log
   */
  async reload(load: () => Config, trigger: ReloadTrigger): Promise<void> {
    if (this.#status.phase === 'stopping') return
    try {
      const config = load()
      const changes = diffConfigs(this.#config, config)
      const restartKeys = changes.filter(needsRestart).map(({ path }) => path.join('.'))
      if (restartKeys.length > 0) return this.#refuseReload(restartProblem(restartKeys), trigger, { restartKeys })
      await this.#apply(config)
      this.#metrics.setReloadResult(true, this.#options.clock.now())
      this.#status.configurationLoaded(this.#receivedSources(config))
      this.#logReload(
        changes.map(({ path, kind }) => (kind === 'changed' ? path.join('.') : `${path.join('.')} (${kind})`)),
        trigger,
      )
    } catch (error) {
      this.#refuseReload(messageOf(error), trigger, hasCode(error, 'CONFIG_INVALID') ? {} : { err: error })
    }
  }

  /**
   * @param forceSignal ends every wait that only serves to publish more; what is in the journal is safe without it
   * @throws ConnectorError JOURNAL_UNUSABLE after everything has ended, if entries are lost because the data file was removed
   */
  async stop(forceSignal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    const hasReceived = this.#status.phase === 'running'
    this.#status.phase = 'stopping'
    const { shutdownGrace, callbacks } = this.#config
    const { drainDelay } = callbacks
    if (hasReceived) {
      log.info(
        {
          event: 'connector-stopping',
          entries: this.#countEntries(),
          drainDelaySeconds: drainDelay / 1_000,
          graceSeconds: shutdownGrace / 1_000,
        },
        'stopping: callbacks are taken for callbacks.drainDelay, then the answers under way are awaited, and what the journal ' +
          'holds is published for up to shutdownGrace',
      )
    }
    this.#callbacks?.drain()
    const workStopped = this.#scheduler.stop(forceSignal)
    await clock.sleep(drainDelay, forceSignal)
    await this.#callbacks?.close(OPEN_CALLBACKS_TIMEOUT_MS)
    await workStopped
    await this.#finishPublishing(forceSignal)
    this.#replayMarks.close()
    await this.#replica?.close()
    const lossError = this.#reportEntriesLeft()
    this.#entriesLeft = this.#countEntries()
    await this.#admin.close()
    try {
      await this.#journal.close()
    } catch (error) {
      log.error(
        { event: 'journal-close-failed' },
        `the journal could not be closed in order, which the next start repairs: ${messageOf(error)}`,
      )
    }
    if (lossError) throw lossError
  }

  /** The sources that this process receives from: none in a drain. */
  #receivedSources({ sources }: Config): readonly SourceConfig[] {
    return this.#options.drainOnly ? [] : [...sources.values()]
  }

  #callbackOptions(config: Config): CallbackServerOptions {
    const maxConnections = connectionsWithin(config.callbacks.maxConnections, this.#openFilesLimit)
    return {
      ...config.callbacks,
      maxConnections,
      sources: this.#receivedSources(config),
      sns: { proxy: config.proxy },
    }
  }

  #warnOfFewFileHandles({ callbacks }: Config): void {
    const maxConnections = connectionsWithin(callbacks.maxConnections, this.#openFilesLimit)
    if (maxConnections === callbacks.maxConnections) return
    this.#options.log.warn(
      { event: 'connections-limited', openFiles: this.#openFilesLimit, maxConnections },
      `the process may open ${this.#openFilesLimit} files, so the callbacks port takes ${maxConnections} connections and not ` +
        `callbacks.maxConnections (${callbacks.maxConnections}); raise the limit of open files (LimitNOFILE, ulimit -n), or lower callbacks.maxConnections`,
    )
  }

  /** @throws ConnectorError CONFIG_INVALID before anything is changed */
  async #apply(config: Config): Promise<void> {
    const sources = this.#receivedSources(config)
    // What may fail comes first.
    createCompressor(config.kafka.compression)
    const decoders = decodersOf(config)
    const encoding = this.#encodingOf(config)
    if (this.#callbacks === undefined && takesCallbacks(sources)) {
      const callbacks = this.#createCallbackServer(config)
      await callbacks.listen()
      this.#callbacks = callbacks
    }
    const before = this.#config
    this.#config = config
    this.#sourceFinder.update(decoders)
    this.#callbacks?.reconfigure(this.#callbackOptions(config))
    this.#admin.reconfigure(config.admin)
    void this.#metrics.setSources(sources)
    if (!this.#options.drainOnly) {
      this.#works = sources.map((each) => this.#workOf(each, before, config))
      this.#scheduler.update(this.#works)
    }
    if (encoding !== undefined) this.#replacePublishing(encoding, config)
  }

  /** Returns the work of a source, with the same functions where its settings are the same, so that it goes on. */
  #workOf(source: SourceConfig, before: Config, config: Config): SourceWork {
    const work = this.#createWork(source, config)
    const previousWork = this.#works.find((each) => each.source === source.name)
    const previous = before.sources.get(source.name)
    if (previousWork === undefined || previous?.provider !== source.provider) return work
    // Another description may ask its queue in another way.
    if (previous.descriptionDigest !== source.descriptionDigest) return work
    if (!isDeepStrictEqual(before.proxy, config.proxy)) return work
    return {
      ...work,
      ...(isDeepStrictEqual(previous.pull, source.pull) && { poll: previousWork.poll }),
      ...(isDeepStrictEqual(previous.reconcile, source.reconcile) && { reconcile: previousWork.reconcile }),
    }
  }

  /** Returns what encodes by a configuration; undefined if the settings of Kafka and the registry are those in use. */
  #encodingOf(config: Config): Encoding | undefined {
    const { clock, log } = this.#options
    const isSameRegistry = isDeepStrictEqual(registrySettings(this.#config), registrySettings(config))
    if (isSameRegistry && isDeepStrictEqual(kafkaSettings(this.#config), kafkaSettings(config))) return undefined
    return buildEncoder(config, clock, log, isSameRegistry ? this.#configuredEncoding.gate : undefined)
  }

  /** Replaces the producer and the encoder between two transactions. */
  #replacePublishing(encoding: Encoding, config: Config): void {
    this.#configuredEncoding = encoding
    this.#pipeline.reopen(() => {
      this.#encoding = encoding
      this.#publisher.reconfigure(kafkaSettings(config))
      this.#replayMarks.reconfigure(kafkaSettings(config))
    })
  }

  /**
   * @param reason a sentence, or a line for each problem of the file
   * @param facts more fields of the line in the log
   */
  #refuseReload(
    reason: string,
    trigger: ReloadTrigger,
    facts: { readonly restartKeys?: readonly string[]; readonly err?: unknown },
  ): void {
    const { clock, log } = this.#options
    this.#metrics.setReloadResult(false, clock.now())
    this.#status.configurationRefused(reason, facts.restartKeys ?? [])
    log.error(
      { event: 'configuration-reload-failed', trigger, problems: reason.split('\n'), ...facts },
      'the configuration was not reloaded and nothing was changed; the one that was loaded before stays in use',
    )
  }

  /** @param changed the keys that differ, without their values */
  #logReload(changed: readonly string[], trigger: ReloadTrigger): void {
    const { log } = this.#options
    if (changed.length === 0) {
      log.info(
        { event: 'configuration-unchanged', trigger },
        'the configuration was loaded again, and is the one in use',
      )
      return
    }
    for (const warning of configurationWarnings(this.#config)) log.warn({ event: 'configuration-warning' }, warning)
    log.info({ event: 'configuration-reloaded', trigger, changed }, 'the configuration was reloaded and is in use')
  }

  /** @returns the error that ends the process, if the entries are lost with it */
  #reportEntriesLeft(): ConnectorError | undefined {
    const { log } = this.#options
    const entries = this.#countEntries()
    if (entries === undefined || entries === 0) return undefined
    const problem = this.#journal.dataFileProblem
    if (problem === null) {
      log.info({ event: 'entries-left', entries }, 'entries stay in the journal for the next start')
      return undefined
    }
    const lost = `${entries} entries of the journal were not published and are lost, unless its files were only moved`
    return new ConnectorError('JOURNAL_UNUSABLE', `${lost}: ${problem}`)
  }

  /** @returns undefined if the journal can't be read */
  #countEntries(): number | undefined {
    try {
      return this.#journal.stats().entries
    } catch (error) {
      this.#options.log.error({ event: 'journal-unreadable' }, `the journal can't be read: ${messageOf(error)}`)
      return undefined
    }
  }

  async #start(): Promise<void> {
    const admin = await this.#admin.listen()
    this.#publishing = this.#pipeline.run(this.#stopPublishing.signal)
    // A rejection reaches whoever awaits `publishing`; without this line it would end the process before that.
    this.#publishing.catch(() => undefined)
    void this.#status.watchJournal(this.#stopPublishing.signal)
    void this.#warnOfReplacedJournal()
    if (this.#callbacks !== undefined) this.#warnOfFewFileHandles(this.#config)
    const callbacks = await this.#callbacks?.listen()
    if (!this.#options.drainOnly) {
      this.#scheduler.start(this.#works)
      this.#status.phase = 'running'
    }
    this.#logStart(admin, callbacks)
  }

  async #warnOfReplacedJournal(): Promise<void> {
    const { clock, log } = this.#options
    const warning = await findReplacedJournal(
      () => this.#config,
      { journal: this.#journal, clock, log },
      this.#stopPublishing.signal,
    )
    if (warning !== null) this.#warnOfJournal('journal-replaced', warning)
  }

  /** @param warning on the contents of the journal, which stays true until the process ends */
  #warnOfJournal(event: 'journal-older-copy' | 'journal-replaced', warning: string): void {
    this.#options.log.warn({ event, journal: this.#journal.id }, warning)
    this.#status.addJournalWarning(event, warning)
  }

  /** Publishes until the journal is empty, `shutdownGrace` has passed, or the force signal aborts. */
  async #finishPublishing(forceSignal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const ended = this.#publishing.catch(() => undefined)
    const emptyOrEnded = Promise.race([this.untilEmpty(forceSignal), ended])
    await orTimeout(emptyOrEnded, this.#config.shutdownGrace, clock)
    this.#stopPublishing.abort()
    // Whether the broker committed what it has not acknowledged by then is found out at the next start, by the position.
    await orTimeout(ended, LAST_COMMIT_TIMEOUT_MS, clock)
  }

  #notifyIfEmpty(): void {
    if (this.#onEmpty.size === 0 || this.#countEntries() !== 0) return
    for (const onEmpty of this.#onEmpty) onEmpty()
    this.#onEmpty.clear()
  }

  #logStart(admin: AddressInfo, callbacks: AddressInfo | undefined): void {
    const { config, log, version } = this.#options
    log.info(
      {
        event: 'connector-started',
        version,
        admin: formatAddress(admin),
        ...(callbacks && { callbacks: formatAddress(callbacks) }),
        journal: this.#journal.id,
        directory: resolve(config.journal.directory),
        ...this.#journal.stats(),
      },
      'the connector is running',
    )
  }
}

const takesCallbacks = (sources: readonly SourceConfig[]): boolean => sources.some(({ callback }) => callback)

const restartProblem = (keys: readonly string[]): string =>
  `${keys.join(', ')} ${keys.length === 1 ? 'needs' : 'need'} a restart; restart the connector, or undo the change`

const formatAddress = ({ address, port }: AddressInfo): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
