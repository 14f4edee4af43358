/**
 * The metrics that Prometheus scrapes. Dashboards and alerts rely on their names and labels, which therefore never change.
 * The default `process_…` and `nodejs_…` metrics of prom-client are exported beside them.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Clock } from '../core/clock.js'
import type { Journal } from '../journal/journal.js'
import type { SourceInfo } from './status.js'

/** Taking custody is an fsync that many requests share. */
const CUSTODY_BUCKETS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** Publishing is a Kafka transaction. A lost answer of a broker takes `kafka.requestTimeout`. */
const PUBLISH_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** End to end takes milliseconds in normal operation, and as long as the broker was away after an outage. */
const END_TO_END_BUCKETS_SECONDS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400,
]

export class Metrics {
  /** Everything that `/metrics` answers. */
  readonly registry = new Registry()

  readonly callbacks = this.#counter(
    'callbacks_total',
    'Callbacks by the status code of the answer. The source is empty for requests that name no existing source.',
    ['source', 'code'],
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
  readonly throttledSeconds = this.#counter(
    'throttled_seconds_total',
    'Pauses that Kafka asked for because a quota of this client was exceeded. Publishing waits that long.',
    [],
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

  /** @param droppedLogLines returns how many lines of the log were dropped since the start */
  constructor(journal: Pick<Journal, 'stats'>, clock: Clock, droppedLogLines: () => number = () => 0) {
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
  }

  /** Creates the series of a source with the value 0, so that Prometheus sees the first event as an increase. */
  createSeries({ name: source, pull, callback, reconcile }: Omit<SourceInfo, 'provider'>): void {
    if (callback) for (const code of ['200', '401', '503']) this.callbacks.inc({ source, code }, 0)
    if (pull) {
      this.pullInFlightItems.set({ source }, 0)
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

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name: `dlrmo_${name}`, help, buckets, registers: [this.registry] })
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
