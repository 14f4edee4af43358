/** Connects the observers of the parts with metrics, status and log. */
import type { Metrics } from '../admin/metrics.js'
import type { ComponentState, Status } from '../admin/status.js'
import type { Clock } from '../core/clock.js'
import { codeOf, ConnectorError, messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { LineLimiter } from '../core/line-limiter.js'
import { OutageLog } from '../core/outage-log.js'
import type {
  CallbackObserver,
  ItemOutcome,
  PipelineObserver,
  PublisherObserver,
  PullObserver,
  ReconcileObserver,
  SharingObserver,
  TelemetryObserver,
  TelemetrySignal,
} from '../core/observers.js'
import { traceFacts } from '../core/tracing.js'
import type { EntryWithOrigin } from '../journal/journal.js'
import { quote } from '../masking/known-secrets.js'
import { personalDataMask, type PersonalData, type PersonalDataMask } from '../masking/personal-data.js'

export interface TelemetryDeps {
  readonly metrics: Metrics
  readonly status: Status
  readonly log: Log
  readonly clock: Clock
}

export interface PipelineTelemetryOptions {
  /** Called after each release of entries, with the number of their items. */
  readonly onRelease: (items: number) => void
  /** Whether the registry has confirmed the schema ids in use. If not, they are remembered from an earlier run. */
  readonly isRegistryConfirmed: () => boolean
  /** Sentences on what consumers can't read although the registry permits it. */
  readonly schemaWarnings: () => readonly string[]
  /** `log.personalData` of the configuration. */
  readonly personalData: PersonalData
}

export function observePipeline(deps: TelemetryDeps, options: PipelineTelemetryOptions): PipelineObserver {
  const { metrics, status, log, clock } = deps
  const report = reportPublishing(deps, options)
  const logDeadLetters = deadLetterLog(deps)
  return {
    ...(log.isLevelEnabled('debug') && { decoded: logItems(log, personalDataMask(options.personalData)) }),
    released: (outcomes) => {
      const now = clock.now()
      for (const outcome of outcomes) countItem(metrics, outcome, now)
      recordOutcomes(status, outcomes)
      logDeadLetters(outcomes)
      options.onRelease(outcomes.length)
    },
    committed: (records, seconds) => {
      metrics.publish.observe(seconds)
      report.registry()
      log.debug({ records, seconds }, 'a batch was committed to Kafka')
    },
    positionLost: (released) =>
      log.warn(
        { event: 'position-lost', released },
        'Kafka no longer has the position of this journal: the dead-letter topic was deleted, or ' +
          'offsets.retention.minutes has passed. Publishing continues after the last released entry; events that were ' +
          'committed but not yet released are published again with the same event ids',
      ),
    entryRepublished: ({ source, seq }) =>
      log.warn(
        { event: 'entry-republished', source, seq },
        'Part of a large request or page was published before the connector stopped, and it does not decode to the same ' +
          'events today, because the version or the configuration of its source has changed. It is published again from its ' +
          'beginning, with the same event ids where an event is unchanged',
      ),
    replayGivenUp: ({ source, eventId }, reason) =>
      log.error(
        { event: 'replay-given-up', source, eventId },
        `A dead letter that was handed in for replay is not published, and stays on its topic: ${reason}. Then replay it again`,
      ),
    waiting: (error) => (error === null ? report.healthy() : report.waiting(error)),
  }
}

/** Counts dead letters that were handed in for replay, once they are in custody. */
export const observeHandedIn =
  ({ metrics, status }: Pick<TelemetryDeps, 'metrics' | 'status'>) =>
  (entries: readonly EntryWithOrigin[]): void => {
    for (const { source, origin } of entries) {
      if (origin.kind !== 'dead-letter') continue
      metrics.replaysHandedIn.inc({ source })
      status.recordReplayHandedIn(source)
    }
  }

/** The log says again that Kafka throttles if it does so after this time without. */
const THROTTLE_LOG_INTERVAL_MS = 300_000

/** Reports the pauses that Kafka asks for. */
export function observePublisher({ metrics, status, log, clock }: TelemetryDeps): PublisherObserver {
  let loggedAt = -Infinity
  return {
    throttled: (ms) => {
      metrics.throttledSeconds.inc(ms / 1_000)
      status.setThrottled(ms)
      if (clock.monotonic() - loggedAt < THROTTLE_LOG_INTERVAL_MS) return
      loggedAt = clock.monotonic()
      log.warn(
        { event: 'kafka-throttled', ms },
        'Kafka throttles this client because a quota is exceeded (producer_byte_rate or request_percentage of its user or ' +
          'client id). Publishing waits as long as Kafka asks for and goes on; dlrmo_throttled_seconds_total has the sum',
      )
    },
  }
}

const STARTED = 'publishing has started'

/** Reports whether events are published. */
function reportPublishing(
  { metrics, status, log, clock }: TelemetryDeps,
  { isRegistryConfirmed, schemaWarnings }: PipelineTelemetryOptions,
) {
  const outages = new OutageLog(
    {
      failureEvent: 'publishing-waiting',
      recoveryEvent: 'publishing-resumed',
      formatFailure: (reason) => `publishing waits and is retried until it succeeds, intake continues: ${reason}`,
      recovery: 'publishing has resumed',
    },
    { log, clock },
  )
  let hasStarted = false

  const setRegistry = (state: ComponentState, reason: string | null): void => {
    metrics.setRegistryState(state)
    status.setRegistry(state, reason)
  }
  const registry = (): void => {
    if (isRegistryConfirmed()) setRegistry('ok', schemaWarnings().join(' ') || null)
    else setRegistry('waiting', 'the registry is unavailable; the schema ids of an earlier run are used')
  }
  const healthy = (): void => {
    if (hasStarted) outages.recovered()
    else if (outages.lastError === null) log.info({ event: 'publishing-started' }, STARTED)
    else outages.recovered(STARTED, 'publishing-started')
    hasStarted = true
    metrics.publishing.set(1)
    metrics.setPublishingCause(null)
    status.setPublishing('ok')
    registry()
  }
  const waiting = (error: unknown): void => {
    const reason = messageOf(error)
    const code = codeOf(error)
    metrics.publishing.set(0)
    metrics.setPublishingCause(error)
    status.setPublishing('waiting', reason, code)
    if (error instanceof ConnectorError && error.dependency === 'registry') setRegistry('waiting', reason)
    else registry()
    outages.failed(causeOf(code, reason), reason, { code, ...(code === 'UNEXPECTED' && { err: error }) })
  }
  return { registry, healthy, waiting }
}

/**
 * The cause of an outage of publishing. While no broker answers, each attempt may meet another broker and another error of
 * the network, and leaves transactions in doubt; that is one cause. The numbers of a reason, for example the time in a broker's
 * explanation, differ with each attempt.
 */
const causeOf = (code: string, reason: string): string =>
  code === 'PUBLISH_IN_DOUBT' || code === 'KAFKA_UNREACHABLE'
    ? 'no broker answers'
    : `${code} ${reason.replaceAll(/[\d*]+/g, '#')}`

/** How long a failing OTLP endpoint that comes and goes is logged at most once. */
const TELEMETRY_QUIET_MS = 60_000

/** Reports telemetry that does not reach its endpoint. */
export function observeTelemetry({ metrics, log, clock }: Omit<TelemetryDeps, 'status'>): TelemetryObserver {
  const outages = new Map<TelemetrySignal, OutageLog>()
  const outageOf = (signal: TelemetrySignal): OutageLog => {
    const outage =
      outages.get(signal) ??
      new OutageLog(
        {
          facts: { signal },
          failureEvent: 'telemetry-export-failed',
          recoveryEvent: 'telemetry-export-recovered',
          formatFailure: (detail) =>
            `the OTLP endpoint does not take ${signal}, which are dropped and counted in dlrmo_telemetry_dropped_total: ${detail}`,
          recovery: `the OTLP endpoint takes ${signal} again`,
          quietMs: TELEMETRY_QUIET_MS,
        },
        { log, clock },
      )
    outages.set(signal, outage)
    return outage
  }
  return {
    dropped: (signal, reason, items) => metrics.telemetryDropped.inc({ signal, reason }, items),
    exportFailed: (signal, error) => {
      const detail = messageOf(error)
      outageOf(signal).failed(detail, detail)
    },
    exported: (signal) => outageOf(signal).recovered(),
  }
}

/** Logs one line for each decoded item. */
const logItems =
  (log: Log, { number, text, sentence }: PersonalDataMask): NonNullable<PipelineObserver['decoded']> =>
  (event, duplicate, traceparent) => {
    const { kind, eventId, source, via } = event
    const details =
      event.kind === 'dead-letter'
        ? { reason: event.reason, detail: sentence(quote(event.detail)) }
        : event.kind === 'mo'
          ? { messageId: event.messageId, sender: number(event.sender), text: text(event.text) }
          : { messageId: event.messageId, status: event.status, recipient: number(event.recipient) }
    log.debug({ kind, eventId, source, via, duplicate, ...details, ...traceFacts(traceparent) }, 'an item was decoded')
  }

function countItem(metrics: Metrics, outcome: ItemOutcome, now: number): void {
  const { source, via, kind, deadLetter, receivedAt, replay } = outcome
  if (replay !== undefined) {
    // The item was counted as received, and as a dead letter, when it arrived.
    metrics.replayedItems.inc({ source, outcome: replay })
    if (replay === 'published') metrics.eventsPublished.inc({ source, kind })
    return
  }
  metrics.itemsReceived.inc({ source, via })
  if (kind === 'duplicate') return metrics.duplicatesSuppressed.inc({ source })
  metrics.endToEnd.observe(Math.max(0, now - receivedAt) / 1000)
  if (kind === 'dead-letter') metrics.deadLetters.inc({ source, reason: deadLetter?.reason ?? '' })
  else {
    metrics.eventsPublished.inc({ source, kind })
    metrics.lastPublishedAt.set(source, now)
  }
}

function recordOutcomes(status: Status, outcomes: readonly ItemOutcome[]): void {
  const published = new Map<string, number>()
  for (const { source, kind, deadLetter, replay } of outcomes) {
    if (replay !== undefined) status.recordReplayedItem(source, replay)
    // Its dead letter was counted when it was received, and a duplicate is on its topic already.
    if (replay === 'unreadable' || replay === 'duplicate') continue
    if (deadLetter !== null && kind === 'dead-letter') status.recordDeadLetter(source, deadLetter)
    else if (kind !== 'duplicate') published.set(source, (published.get(source) ?? 0) + 1)
  }
  for (const [source, events] of published) status.recordPublished(source, events)
}

/** The characters of the detail of a dead letter in the log. The dead letter itself has all of it. */
const MAX_LOGGED_DETAIL = 400

/** Logs dead letters: the first of each source and reason, then one a minute. */
function deadLetterLog({ log, clock }: TelemetryDeps): (outcomes: readonly ItemOutcome[]) => void {
  const limiter = new LineLimiter(clock)
  return (outcomes) => {
    for (const { source, deadLetter } of outcomes) {
      const counts = deadLetter && limiter.next(`${source} ${deadLetter.reason}`)
      if (deadLetter === null || counts === null) continue
      const { reason, eventId } = deadLetter
      const detail = deadLetter.detail.slice(0, MAX_LOGGED_DETAIL).toWellFormed()
      log.warn(
        { event: 'dead-letter', source, reason, detail, eventId, ...counts },
        'what was received is published as a dead letter, with all its bytes; each reason is logged at most once a minute',
      )
    }
  }
}

export const observePulls = ({ metrics, status, log, clock }: TelemetryDeps): PullObserver => ({
  requestEnded: (source, outcome) => {
    metrics.pullRequests.inc({ source, outcome })
    if (outcome !== 'page') return
    metrics.lastReceivedAt.set(source, clock.now())
    status.recordPage(source)
  },
  pageSizeChanged: (source, limit) => metrics.pullLimit.set({ source }, limit),
  custodyTaken: (seconds) => metrics.custody.observe(seconds),
  answerLost: (source, reason, detail) => {
    metrics.pullAnswersLost.inc({ source, reason })
    status.recordLostAnswer(source, { at: clock.now(), reason, detail })
    log.warn(
      { event: 'pull-answer-lost', source, reason, detail },
      'an answer of the queue, or a part of it, is lost; it may have held a page: compare with the provider what it has handed out',
    )
  },
  stateChanged: (source, state) => {
    metrics.pullInFlightItems.set({ source }, state.inFlightItems)
    status.recordPull(source, state)
  },
})

export const observeReconciling = ({ metrics, status }: TelemetryDeps): ReconcileObserver => ({
  requestEnded: (source, endpoint, outcome) => metrics.reconcileRequests.inc({ source, endpoint, outcome }),
  knownItemsDropped: (source, items) => {
    // The pipeline would have counted the items like this, had the answer been kept.
    metrics.itemsReceived.inc({ source, via: 'QUERY' }, items)
    metrics.duplicatesSuppressed.inc({ source }, items)
  },
  messagesGivenUp: (source, messages) => metrics.watchGivenUp.inc({ source }, messages),
  custodyTaken: (seconds) => metrics.custody.observe(seconds),
  stateChanged: (source, state) => {
    metrics.watched.set({ source }, state.watched)
    status.recordReconciling(source, state)
  },
})

export const observeSharing = ({ metrics, status }: TelemetryDeps): SharingObserver => ({
  membershipChanged: (report) => {
    metrics.sharingAssigned.set(report.membership === 'assigned' ? 1 : 0)
    status.membership = report
  },
  ownershipChanged: (source, owned) => {
    metrics.sourceOwned.set({ source }, owned ? 1 : 0)
    if (owned) status.owned.add(source)
    else status.owned.delete(source)
  },
  pollingHandedOver: (source) => status.recordPullingHandedOver(source),
  followingChanged: (report) => {
    status.following = report
  },
  publishedTwice: (source) => metrics.publishedTwice.inc({ source }),
  workStopped: (source, kind) => void metrics.workStopped(source, kind),
})

export const observeCallbacks = ({ metrics, status, clock }: TelemetryDeps): CallbackObserver => ({
  answered: (source, code, refusal) => {
    metrics.callbacks.inc({ source, code: String(code) })
    status.recordCallback(source, code, refusal ?? null)
    if (refusal === undefined) metrics.lastReceivedAt.set(source, clock.now())
    else metrics.callbacksRefused.inc({ source, reason: refusal })
  },
  custodyTaken: (seconds) => metrics.custody.observe(seconds),
})
