/**
 * What Prometheus sees. Names and labels are a promise to dashboards and alerts: they change for nobody. Beside them
 * the usual `process_…` and `nodejs_…` metrics under their usual names.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Clock } from '../core/clock.js'
import type { Journal } from '../journal/journal.js'

/** Seconds. Custody is an fsync, shared by many. */
const CUSTODY = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** A transaction; a lost answer costs `kafka.requestTimeout`. */
const PUBLISH = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** Milliseconds while all is well; as long as the broker was away, after that. */
const END_TO_END = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400]

export class Metrics {
  readonly registry = new Registry()
  readonly callbacks: Counter<'source' | 'code'>
  readonly pullRequests: Counter<'source' | 'outcome'>
  readonly itemsReceived: Counter<'source' | 'via'>
  readonly eventsPublished: Counter<'source' | 'kind'>
  readonly deadLetters: Counter<'source' | 'reason'>
  readonly duplicatesSuppressed: Counter<'source'>
  readonly pullLimit: Gauge<'source'>
  readonly reconcileRequests: Counter<'source' | 'endpoint' | 'outcome'>
  readonly watched: Gauge<'source'>
  readonly watchGivenUp: Counter<'source'>
  readonly publishing: Gauge
  readonly sourceOwned: Gauge<'source'>
  readonly sharingAssigned: Gauge
  readonly publishedTwice: Counter<'source'>
  readonly custody: Histogram
  readonly publish: Histogram
  readonly endToEnd: Histogram

  constructor(journal: Pick<Journal, 'stats'>, clock: Clock) {
    const registers = [this.registry]
    const counter = <L extends string>(name: string, help: string, labelNames: L[]): Counter<L> =>
      new Counter({ name: `dlrmo_${name}`, help, labelNames, registers })
    const histogram = (name: string, help: string, buckets: number[]): Histogram =>
      new Histogram({ name: `dlrmo_${name}`, help, buckets, registers })

    this.callbacks = counter('callbacks_total', 'Callbacks by answer; source "" names none that exists', [
      'source',
      'code',
    ])
    this.pullRequests = counter('pull_requests_total', 'Requests to destructive queues by outcome', [
      'source',
      'outcome',
    ])
    this.itemsReceived = counter('items_received_total', 'Items found in what was received', ['source', 'via'])
    this.eventsPublished = counter('events_published_total', 'Events committed to Kafka', ['source', 'kind'])
    this.deadLetters = counter('dead_letters_total', 'Dead letters committed to Kafka', ['source', 'reason'])
    this.duplicatesSuppressed = counter('duplicates_suppressed_total', 'Items whose identity was published before', [
      'source',
    ])
    this.pullLimit = new Gauge({
      name: 'dlrmo_pull_limit',
      help: 'Page size of the next request',
      labelNames: ['source'],
      registers,
    })
    this.reconcileRequests = counter('reconcile_requests_total', 'Questions about what was missed, by outcome', [
      'source',
      'endpoint',
      'outcome',
    ])
    this.watched = new Gauge({
      name: 'dlrmo_watched_messages',
      help: 'Messages that the provider is asked for until their final receipt',
      labelNames: ['source'],
      registers,
    })
    this.watchGivenUp = counter('watch_given_up_total', 'Messages asked for no more, without a final receipt', [
      'source',
    ])
    this.publishing = new Gauge({
      name: 'dlrmo_publishing',
      help: '1 while publishing goes on, 0 while it waits; the log and the status page say for what',
      registers,
    })
    this.sourceOwned = new Gauge({
      name: 'dlrmo_source_owned',
      help: '1 where this replica polls and reconciles the source; the sum over replicas is 1 while the group works',
      labelNames: ['source'],
      registers,
    })
    this.sharingAssigned = new Gauge({
      name: 'dlrmo_sharing_assigned',
      help: '1 while the group says which sources are whose, 0 without its word; 1 also where nothing is shared',
      registers,
    })
    this.publishedTwice = counter(
      'published_twice_total',
      'Events of reconciled sources that two replicas published at the same time, by the same event id',
      ['source'],
    )
    this.custody = histogram('custody_seconds', 'From a request or page being here to its being durable', CUSTODY)
    this.publish = histogram('publish_seconds', 'One Kafka transaction', PUBLISH)
    this.endToEnd = histogram('end_to_end_seconds', 'From an item received to its event committed', END_TO_END)
    this.#journalGauges(journal, clock)
    collectDefaultMetrics({ register: this.registry })
  }

  /** Makes a source's series exist from the start, so that a first increase is seen as one. */
  begin(
    source: string,
    ways: { readonly pull: boolean; readonly callback: boolean; readonly reconcile: boolean },
  ): void {
    if (ways.callback) for (const code of ['200', '401', '503']) this.callbacks.inc({ source, code }, 0)
    if (ways.pull) {
      for (const outcome of ['page', 'empty', 'account-error']) this.pullRequests.inc({ source, outcome }, 0)
    }
    if (ways.reconcile) {
      for (const endpoint of ['status', 'outbound', 'inbound']) {
        for (const outcome of ['answer', 'refused']) this.reconcileRequests.inc({ source, endpoint, outcome }, 0)
      }
      this.watchGivenUp.inc({ source }, 0)
      this.publishedTwice.inc({ source }, 0)
    }
    for (const kind of ['dlr', 'mo']) this.eventsPublished.inc({ source, kind }, 0)
    this.duplicatesSuppressed.inc({ source }, 0)
  }

  /** In Prometheus' text format; its content type is `registry.contentType`. */
  text(): Promise<string> {
    return this.registry.metrics()
  }

  /** Read from the journal at each scrape. */
  #journalGauges(journal: Pick<Journal, 'stats'>, clock: Clock): void {
    const gauge = (name: string, help: string, read: () => number): void => {
      new Gauge({
        name: `dlrmo_${name}`,
        help,
        registers: [this.registry],
        collect() {
          this.set(read())
        },
      })
    }
    gauge('journal_entries', 'Requests and pages in custody, not yet released', () => journal.stats().entries)
    gauge('journal_bytes', 'Bytes of the journal that entries use', () => journal.stats().bytes)
    gauge(
      'ids_forgotten_early',
      'Event ids forgotten since the start because there were more than duplicates.maxIds',
      () => journal.stats().idsForgottenEarly,
    )
    gauge('journal_oldest_age_seconds', 'Age of the oldest entry in custody; 0 when there is none', () => {
      const { oldestReceivedAt } = journal.stats()
      return oldestReceivedAt === null ? 0 : Math.max(0, (clock.now() - oldestReceivedAt) / 1_000)
    })
  }
}
