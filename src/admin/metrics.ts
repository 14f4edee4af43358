/**
 * The metrics that Prometheus scrapes. Dashboards and alerts rely on their names and labels, which therefore never change.
 * The default `process_…` and `nodejs_…` metrics of prom-client are exported beside them.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Clock } from '../core/clock.js'
import { ConnectorError, type ErrorCode } from '../core/errors.js'
import { type CallbackRefusalReason, TELEMETRY_DROP_REASONS, type TelemetrySignal } from '../core/observers.js'
import type { Journal, WatchListUsage } from '../journal/journal.js'
import { COMPONENT_STATES, type ComponentState, type SourceInfo } from './status.js'

/** Taking custody is an fsync that many requests share. */
const CUSTODY_BUCKETS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** Publishing is a Kafka transaction. A lost answer of a broker takes `kafka.requestTimeout`. */
const PUBLISH_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** End to end takes milliseconds in normal operation, and as long as the broker was away after an outage. */
const END_TO_END_BUCKETS_SECONDS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400,
]

/** The refusals of callbacks that can be told to a source, and those that can't. Their series begin at 0. */
const SOURCE_REFUSALS: readonly CallbackRefusalReason[] = [
  'address',
  'token',
  'credentials',
  'nonce',
  'signature-missing',
  'signature-wrong',
  'signature-too-old',
  'signature-from-the-future',
  'topic',
  'method',
  'body-too-large',
  'no-memory',
  'too-many-requests',
  'journal-refuses',
  'internal-error',
  'certificate-unavailable',
  'subscription-unconfirmed',
]
const UNKNOWN_SOURCE_REFUSALS: readonly CallbackRefusalReason[] = [
  'unknown-source',
  'path',
  'method',
  'malformed',
  'too-many-requests',
  'too-many-connections',
]

/** The errors that publishing waits for, by the label `cause` of `dlrmo_publishing_waiting`. Every other error is `unexpected`. */
const WAIT_CAUSES: Readonly<Partial<Record<ErrorCode, string>>> = {
  KAFKA_UNREACHABLE: 'kafka-unreachable',
  KAFKA_REFUSED: 'kafka-refused',
  TOPIC_MISSING: 'topic-missing',
  PUBLISH_IN_DOUBT: 'publish-in-doubt',
  REGISTRY_UNREACHABLE: 'registry-unreachable',
  REGISTRY_REFUSED: 'registry-refused',
  SCHEMA_REFUSED: 'schema-refused',
  SCHEMA_IDS_CHANGED: 'schema-ids-changed',
  JOURNAL_WRITE_FAILED: 'journal-write-failed',
  JOURNAL_ENTRY_UNREADABLE: 'journal-entry-unreadable',
}

/**
 * prom-client's gauges whose names end like those of counters, which OpenMetrics and `promtool check metrics` refuse. Each is
 * the sum of the gauge without `_total`.
 */
const MISNAMED_GAUGES = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

/** The sections of a source that say in which ways it is received from. */
const WAYS = ['pull', 'callback', 'reconcile'] as const

/** What callers of the callbacks port take. */
export interface CallbackUsage {
  readonly connections: number
  readonly maxConnections: number
  /** By whether the caller has proved who it is before its body is read. */
  readonly bodyBytes: Readonly<Record<'proved' | 'unproved', number>>
}

export class Metrics {
  /** Everything that `/metrics` answers. */
  readonly registry = new Registry()

  readonly callbacks = this.#counter(
    'callbacks_total',
    'Callbacks by the status code of the answer. The source is empty for requests that name no existing source.',
    ['source', 'code'],
  )
  readonly callbacksRefused = this.#counter(
    'callbacks_refused_total',
    'Callbacks that were refused, by reason. The source is empty for requests that name no existing source.',
    ['source', 'reason'],
  )
  /** By source, in milliseconds since the epoch. */
  readonly lastReceivedAt = this.#timestamps(
    'last_received_timestamp_seconds',
    'When the last callback, or the last complete page with items, of the source came into custody; 0 if there was none since the start.',
  )
  /** By source, in milliseconds since the epoch. */
  readonly lastPublishedAt = this.#timestamps(
    'last_published_timestamp_seconds',
    'When the last receipt or message of the source was committed to Kafka; 0 if there was none since the start.',
  )
  readonly pullRequests = this.#counter('pull_requests_total', 'Requests to the queues of providers, by outcome.', [
    'source',
    'outcome',
  ])
  readonly pullAnswersLost = this.#counter(
    'pull_answers_lost_total',
    'Answers of queues that did not arrive, or not as a whole, although the request was sent. Each may have held a page.',
    ['source', 'reason'],
  )
  readonly itemsReceived = this.#counter('items_received_total', 'Receipts and messages that were received.', [
    'source',
    'via',
  ])
  readonly eventsPublished = this.#counter('events_published_total', 'Events that were committed to Kafka.', [
    'source',
    'kind',
  ])
  readonly deadLetters = this.#counter('dead_letters_total', 'Dead letters that were committed to Kafka.', [
    'source',
    'reason',
  ])
  readonly replayedItems = this.#counter(
    'replayed_items_total',
    'Items of replayed dead letters, by outcome: published, duplicate, or unreadable as before.',
    ['source', 'outcome'],
  )
  readonly replaysHandedIn = this.#counter(
    'replays_handed_in_total',
    'Dead letters that were handed in for replay at the admin port, and are in custody.',
    ['source'],
  )
  readonly duplicatesSuppressed = this.#counter(
    'duplicates_suppressed_total',
    'Items that were not published because their event id was published before.',
    ['source'],
  )
  readonly pullLimit = this.#gauge('pull_limit', 'Page size of the next request to the queue.', ['source'])
  readonly pullInFlightItems = this.#gauge(
    'pull_in_flight_items',
    'Items that the request under way to the queue asks for: what is lost if the process dies now. 0 while no request is under way.',
    ['source'],
  )
  readonly reconcileRequests = this.#counter(
    'reconcile_requests_total',
    'Queries for items that were missed, by outcome.',
    ['source', 'endpoint', 'outcome'],
  )
  readonly watched = this.#gauge('watched_messages', 'Messages that are queried until their final receipt arrives.', [
    'source',
  ])
  readonly watchGivenUp = this.#counter(
    'watch_given_up_total',
    'Messages that are no longer queried although no final receipt arrived.',
    ['source'],
  )
  readonly publishing = this.#gauge(
    'publishing',
    '1 while events are published, 0 while publishing waits. The log and the status page give the reason.',
  )
  readonly #waitCause = this.#stateSet(
    'publishing_waiting',
    '1 for the cause that publishing waits for at the moment, 0 for every other cause.',
    'cause',
    [...Object.values(WAIT_CAUSES), 'unexpected'],
  )
  readonly #registryState = this.#stateSet(
    'registry_state',
    '1 for the present state of the schema registry, 0 for the other states. waiting: it is unavailable or refuses.',
    'state',
    COMPONENT_STATES,
  )
  readonly throttledSeconds = this.#counter(
    'throttled_seconds_total',
    'Pauses that Kafka asked for because a quota of this client was exceeded. Publishing waits that long.',
    [],
  )
  readonly telemetryDropped = this.#counter(
    'telemetry_dropped_total',
    'Spans, log records and exports of metrics that the OTLP endpoint did not take, by reason.',
    ['signal', 'reason'],
  )
  readonly sourceOwned = this.#gauge(
    'source_owned',
    '1 if this replica pulls and reconciles the source. The sum over all replicas is 1 while the consumer group works.',
    ['source'],
  )
  readonly sharingAssigned = this.#gauge(
    'sharing_assigned',
    '1 while the consumer group assigns the sources, 0 while it does not answer. Always 1 without sharing.',
  )
  readonly publishedTwice = this.#counter(
    'published_twice_total',
    'Events of reconciled sources that two replicas published at the same time, with the same event id.',
    ['source'],
  )
  readonly custody = this.#histogram(
    'custody_seconds',
    'Time from the arrival of a callback or an answer until it is durable in the journal.',
    CUSTODY_BUCKETS_SECONDS,
  )
  readonly publish = this.#histogram('publish_seconds', 'Duration of one Kafka transaction.', PUBLISH_BUCKETS_SECONDS)
  readonly endToEnd = this.#histogram(
    'end_to_end_seconds',
    'Time from the arrival of an item until its event is committed to Kafka.',
    END_TO_END_BUCKETS_SECONDS,
  )

  readonly #reloadSuccessful = this.#gauge(
    'config_reload_successful',
    '1 if the last attempt to load the configuration succeeded, 0 if it failed and the one before is still in use.',
  )
  readonly #reloadedAt = this.#gauge(
    'config_reload_success_timestamp_seconds',
    'When the configuration was last loaded with success, at the start or by a reload.',
  )
  /** Returns how full the watch list is. */
  readWatchListUsage: () => WatchListUsage = () => ({ messages: 0, maxMessages: 0, notAdded: 0 })
  /** Returns what callers of the callbacks port take now; undefined while it is not open. */
  readCallbackUsage: () => CallbackUsage | undefined = () => undefined
  readonly #sources = new Map<string, SourceInfo>()

  /** @param droppedLogLines returns how many lines of the log were dropped since the start */
  constructor(journal: Pick<Journal, 'stats' | 'custodyRoom'>, clock: Clock, droppedLogLines: () => number = () => 0) {
    const gauge = (name: string, help: string, read: () => number): Gauge => this.#gauge(name, help, [], read)
    gauge('journal_entries', 'Entries in the journal that are not yet released.', () => journal.stats().entries)
    gauge('journal_bytes', 'Bytes that the entries of the journal use.', () => journal.stats().bytes)
    gauge(
      'ids_forgotten_early',
      'Event ids that were forgotten since the start because there were more than duplicates.maxIds.',
      () => journal.stats().idsForgottenEarly,
    )
    gauge('journal_oldest_age_seconds', 'Age of the oldest entry in the journal; 0 while it is empty.', () => {
      const { oldestReceivedAt } = journal.stats()
      return oldestReceivedAt === null ? 0 : Math.max(0, (clock.now() - oldestReceivedAt) / 1_000)
    })
    gauge('journal_max_bytes', 'The limit of the journal: journal.maxBytes.', () => journal.custodyRoom().maxBytes)
    gauge(
      'custody_free_bytes',
      'Bytes that callbacks can still use: what journal.maxBytes or the disk leaves, whichever is less; 0 while custody is refused.',
      () => journal.custodyRoom().freeBytes,
    )
    gauge(
      'custody_refused',
      '1 while the journal refuses callbacks because it is full, its disk refuses writes, or its files are damaged or gone.',
      () => (isCustodyRefused(journal) ? 1 : 0),
    )
    gauge(
      'watch_list_messages',
      'Messages on the watch list of this process, of all sources.',
      () => this.readWatchListUsage().messages,
    )
    gauge(
      'watch_list_max_messages',
      'The limit of the watch list: journal.maxWatchedMessages.',
      () => this.readWatchListUsage().maxMessages,
    )
    gauge(
      'watch_list_not_added',
      'Messages that were not added to the watch list since the start because it was full. They are not queried.',
      () => this.readWatchListUsage().notAdded,
    )
    gauge(
      'callback_connections',
      'Open connections to the callbacks port.',
      () => this.readCallbackUsage()?.connections ?? 0,
    )
    gauge(
      'callback_max_connections',
      'The limit of connections to the callbacks port: callbacks.maxConnections, or what the limit of open files allows; 0 while the port is not open.',
      () => this.readCallbackUsage()?.maxConnections ?? 0,
    )
    const bodyBytes: Gauge<'caller'> = new Gauge({
      name: 'dlrmo_callback_body_bytes',
      help: 'Bytes of the bodies of callbacks that are being received or written, by whether the caller has proved who it is before.',
      labelNames: ['caller'],
      registers: [this.registry],
      collect: () => {
        const usage = this.readCallbackUsage()?.bodyBytes
        for (const caller of ['proved', 'unproved'] as const) bodyBytes.set({ caller }, usage?.[caller] ?? 0)
      },
    })
    const dropped: Counter = new Counter({
      name: 'dlrmo_log_lines_dropped_total',
      help: 'Lines of the log that were dropped because standard output did not take them in time.',
      registers: [this.registry],
      collect: () => {
        dropped.reset()
        dropped.inc(droppedLogLines())
      },
    })
    collectDefaultMetrics({ register: this.registry })
    for (const name of MISNAMED_GAUGES) this.registry.removeSingleMetric(name)
    this.setRegistryState('starting')
    this.setReloadResult(true, clock.now())
  }

  /** @param error what publishing waits for; null while it does not wait */
  setPublishingCause(error: unknown): void {
    const code = error instanceof ConnectorError ? error.code : undefined
    this.#waitCause.present = error === null ? null : ((code && WAIT_CAUSES[code]) ?? 'unexpected')
  }

  setRegistryState(present: ComponentState): void {
    this.#registryState.present = present
  }

  /** Creates the series of a signal that is exported by OTLP with the value 0. */
  createTelemetrySeries(signal: TelemetrySignal): void {
    for (const reason of TELEMETRY_DROP_REASONS) this.telemetryDropped.inc({ signal, reason }, 0)
  }

  /**
   * Takes over the sources of a configuration. The series of a new one begin at 0, so that Prometheus sees the first event as
   * an increase. The series of one that is removed, or is no longer received from in one of its ways, end, because alerts
   * would take their last value for the present one.
   */
  async setSources(sources: readonly SourceInfo[]): Promise<void> {
    const previous = new Map(this.#sources)
    this.#sources.clear()
    for (const source of sources) {
      this.#sources.set(source.name, source)
      this.#createSeries(source)
    }
    for (const [name, before] of previous) {
      for (const way of WAYS) if (before[way] !== undefined) await this.#removeUnlessReceived(name, way)
    }
  }

  /** Ends the series that work has added to after its way of receiving was removed from the configuration. */
  async workStopped(source: string, kind: 'poll' | 'reconcile'): Promise<void> {
    await this.#removeUnlessReceived(source, kind === 'poll' ? 'pull' : 'reconcile')
  }

  setReloadResult(isSuccess: boolean, now: number): void {
    this.#reloadSuccessful.set(isSuccess ? 1 : 0)
    if (isSuccess) this.#reloadedAt.set(now / 1_000)
  }

  async #removeUnlessReceived(source: string, way: (typeof WAYS)[number]): Promise<void> {
    const info = this.#sources.get(source)
    if (info?.[way] !== undefined) return
    if (info === undefined) for (const times of [this.lastReceivedAt, this.lastPublishedAt]) times.delete(source)
    const metrics = info === undefined ? this.registry.getMetricsAsArray() : this.#metricsOf(way)
    for (const metric of metrics) {
      if (!(metric instanceof Counter || metric instanceof Gauge)) continue
      const { values } = await metric.get()
      for (const { labels } of values) if (labels['source'] === source) metric.remove(labels as Record<string, string>)
    }
  }

  /** The metrics that only a way of receiving has. */
  #metricsOf(way: (typeof WAYS)[number]): readonly (Counter | Gauge)[] {
    const metrics = {
      pull: [this.pullRequests, this.pullAnswersLost, this.pullLimit, this.pullInFlightItems],
      callback: [this.callbacks, this.callbacksRefused],
      reconcile: [this.reconcileRequests, this.watched, this.watchGivenUp, this.publishedTwice],
    }
    return metrics[way] as readonly (Counter | Gauge)[]
  }

  #createSeries({ name: source, pull, callback, reconcile }: SourceInfo): void {
    if (callback) {
      const accepted = String(callback.answer?.status ?? 200)
      for (const code of [accepted, '401', '503']) this.callbacks.inc({ source, code }, 0)
      for (const reason of SOURCE_REFUSALS) this.callbacksRefused.inc({ source, reason }, 0)
      this.callbacks.inc({ source: '', code: '401' }, 0)
      for (const reason of UNKNOWN_SOURCE_REFUSALS) this.callbacksRefused.inc({ source: '', reason }, 0)
    }
    for (const times of [this.lastReceivedAt, this.lastPublishedAt]) times.set(source, times.get(source) ?? 0)
    if (pull) {
      this.pullInFlightItems.inc({ source }, 0)
      for (const outcome of ['page', 'empty', 'account-error']) this.pullRequests.inc({ source, outcome }, 0)
      for (const reason of ['timeout', 'network-error', 'cut']) this.pullAnswersLost.inc({ source, reason }, 0)
    }
    if (reconcile) {
      for (const endpoint of ['status', 'outbound', 'inbound']) {
        for (const outcome of ['answer', 'refused']) this.reconcileRequests.inc({ source, endpoint, outcome }, 0)
      }
      this.watchGivenUp.inc({ source }, 0)
      this.publishedTwice.inc({ source }, 0)
    }
    for (const kind of ['dlr', 'mo']) this.eventsPublished.inc({ source, kind }, 0)
    this.duplicatesSuppressed.inc({ source }, 0)
  }

  #counter<L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name: `dlrmo_${name}`, help, labelNames, registers: [this.registry] })
  }

  /** @param read returns the value at each scrape; left out for a gauge that is set */
  #gauge<L extends string = never>(name: string, help: string, labelNames: L[] = [], read?: () => number): Gauge<L> {
    const gauge: Gauge<L> = new Gauge({
      name: `dlrmo_${name}`,
      help,
      labelNames,
      registers: [this.registry],
      ...(read && { collect: () => gauge.set(valueOrNaN(read)) }),
    })
    return gauge
  }

  /** Exports the times in the returned map at each scrape. A callback then costs no more than an entry of a map. */
  #timestamps(name: string, help: string): Map<string, number> {
    const timesBySource = new Map<string, number>()
    const gauge: Gauge<'source'> = new Gauge({
      name: `dlrmo_${name}`,
      help,
      labelNames: ['source'],
      registers: [this.registry],
      collect: () => {
        for (const [source, ms] of timesBySource) gauge.set({ source }, ms / 1_000)
      },
    })
    return timesBySource
  }

  /** Exports a series for each value of the label: 1 for the value that is present, if one is, and 0 for the others. */
  #stateSet(name: string, help: string, label: string, values: readonly string[]): { present: string | null } {
    const stateSet = { present: null as string | null }
    const gauge: Gauge = new Gauge({
      name: `dlrmo_${name}`,
      help,
      labelNames: [label],
      registers: [this.registry],
      collect: () => {
        for (const value of values) gauge.set({ [label]: value }, value === stateSet.present ? 1 : 0)
      },
    })
    return stateSet
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name: `dlrmo_${name}`, help, buckets, registers: [this.registry] })
  }
}

/** A journal that can't be read takes no callback either. */
const isCustodyRefused = (journal: Pick<Journal, 'custodyRoom'>): boolean => {
  try {
    return journal.custodyRoom().refusal !== null
  } catch {
    return true
  }
}

/** Prometheus stores NaN for a value that can't be read. An error would take the whole scrape with it. */
const valueOrNaN = (read: () => number): number => {
  try {
    return read()
  } catch {
    return NaN
  }
}
