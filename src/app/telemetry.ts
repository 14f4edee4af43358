/** What the parts tell, made into metrics, status and log: the one place where they meet. */
import type { Logger } from 'pino'
import type { Clock } from '../core/clock.js'
import { ConnectorError, messageOf } from '../core/errors.js'
import type { CallbackObserver, PullObserver, ReconcileObserver } from '../core/observers.js'
import { personalDataMask, type PersonalDataMask, type PersonalData } from '../masking/personal-data.js'
import type { Metrics } from '../admin/metrics.js'
import type { Status } from '../admin/status.js'
import type { ItemOutcome } from '../core/observers.js'
import type { PipelineObserver } from '../core/observers.js'
import type { SharingObserver } from '../core/observers.js'

export interface TelemetryDeps {
  readonly metrics: Metrics
  readonly status: Status
  readonly log: Logger
  readonly clock: Clock
}

export interface PipelineHooks {
  /** Called after each release: the journal may be empty now. */
  readonly onRelease: () => void
  /** Whether the registry itself has confirmed the schema ids that are written with. */
  readonly registryConfirms: () => boolean
  /** `log.personalData` of the configuration. */
  readonly personalData: PersonalData
}

export function observePipeline(
  { metrics, status, log, clock }: TelemetryDeps,
  { onRelease, registryConfirms, personalData }: PipelineHooks,
): PipelineObserver {
  const showRegistry = (): void =>
    registryConfirms() ? status.registry('ok') : status.registry('waiting', 'away; its schema ids are remembered')
  const said = new Set<string>()
  let since = 0
  let begun = false
  return {
    ...(log.isLevelEnabled('debug') && { decoded: logItems(log, personalDataMask(personalData)) }),
    released: (outcomes) => {
      for (const outcome of outcomes) count(metrics, outcome, clock.now())
      onRelease()
    },
    committed: (records, seconds) => {
      metrics.publish.observe(seconds)
      showRegistry()
      log.debug({ records, seconds }, 'committed')
    },
    positionLost: (released: number) =>
      log.warn(
        { released },
        'Kafka holds no position of this journal: its topic was deleted, or offsets.retention.minutes passed. ' +
          'Going on behind what was released here; what was committed but not yet released then is published again',
      ),
    waiting: (error) => {
      if (error === null) {
        if (!begun) log.info({}, 'publishing begins')
        else if (said.size > 0) {
          log.info({ seconds: Math.round((clock.monotonic() - since) / 1000) }, 'publishing goes on')
        }
        begun = true
        said.clear()
        metrics.publishing.set(1)
        status.publishing('ok')
        showRegistry()
        return
      }
      const reason = messageOf(error)
      const code = error instanceof ConnectorError ? error.code : 'UNEXPECTED'
      metrics.publishing.set(0)
      status.publishing('waiting', reason)
      if (/^(REGISTRY|SCHEMA)_/.test(code)) status.registry('waiting', reason)
      else showRegistry()
      // Each kind once until it goes on: an outage of hours is one line, not thousands, also where kinds take turns.
      const kind = code === 'PUBLISH_IN_DOUBT' ? 'KAFKA_UNREACHABLE' : code
      if (said.has(kind)) return
      if (said.size === 0) since = clock.monotonic()
      said.add(kind)
      log.warn({ code, err: code === 'UNEXPECTED' ? error : undefined }, `publishing waits, intake goes on: ${reason}`)
    },
  }
}

/** One line an item, at level debug. */
const logItems =
  (log: Logger, { number, text, sentence }: PersonalDataMask): NonNullable<PipelineObserver['decoded']> =>
  (event, duplicate) => {
    const { kind, eventId, source, via } = event
    log.debug({ kind, eventId, source, via, duplicate, ...about() }, 'item')

    function about(): object {
      switch (event.kind) {
        case 'dlr':
          return { messageId: event.messageId, status: event.status, recipient: number(event.recipient) }
        case 'mo':
          return { messageId: event.messageId, sender: number(event.sender), text: text(event.text) }
        case 'dead-letter':
          return { reason: event.reason, detail: sentence(event.detail) }
      }
    }
  }

function count(metrics: Metrics, { source, via, kind, reason, receivedAt }: ItemOutcome, now: number): void {
  metrics.itemsReceived.inc({ source, via })
  if (kind === 'duplicate') return metrics.duplicatesSuppressed.inc({ source })
  metrics.endToEnd.observe(Math.max(0, now - receivedAt) / 1000)
  if (kind === 'dead-letter') metrics.deadLetters.inc({ source, reason: reason ?? '' })
  else metrics.eventsPublished.inc({ source, kind })
}

export const observePulls = ({ metrics, status }: TelemetryDeps): PullObserver => ({
  requestEnded: (source, outcome) => metrics.pullRequests.inc({ source, outcome }),
  pageSizeChanged: (source, limit) => metrics.pullLimit.set({ source }, limit),
  custodyTaken: (seconds) => metrics.custody.observe(seconds),
  stateChanged: (source, state) => status.pull(source, state),
})

export const observeReconciling = ({ metrics, status }: TelemetryDeps): ReconcileObserver => ({
  requestEnded: (source, endpoint, outcome) => metrics.reconcileRequests.inc({ source, endpoint, outcome }),
  knownItemsDropped: (source, items) => {
    // As the pipeline would have counted them, had the answer been kept.
    metrics.itemsReceived.inc({ source, via: 'QUERY' }, items)
    metrics.duplicatesSuppressed.inc({ source }, items)
  },
  messagesGivenUp: (source, messages) => metrics.watchGivenUp.inc({ source }, messages),
  custodyTaken: (seconds) => metrics.custody.observe(seconds),
  stateChanged: (source, state) => {
    metrics.watched.set({ source }, state.watched)
    status.reconciling(source, state)
  },
})

export const observeSharing = ({ metrics, status }: TelemetryDeps): SharingObserver => ({
  membershipChanged: (membership, since, reason, partitions) => {
    metrics.sharingAssigned.set(membership === 'assigned' ? 1 : 0)
    status.sharing.membership({ membership, since, reason, partitions })
  },
  ownershipChanged: (source, owned) => {
    metrics.sourceOwned.set({ source }, owned ? 1 : 0)
    status.sharing.owned(source, owned)
  },
  pollingHandedOver: (source) => status.left(source),
  followingChanged: (state, reason) => status.sharing.following({ state, reason }),
  publishedTwice: (source) => metrics.publishedTwice.inc({ source }),
})

export const observeCallbacks = ({ metrics }: TelemetryDeps): CallbackObserver => ({
  answered: (source, code) => metrics.callbacks.inc({ source, code: String(code) }),
  custodyTaken: (seconds) => metrics.custody.observe(seconds),
})
