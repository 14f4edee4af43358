import type { Clock } from '../core/clock.js'
import type {
  CallbackRefusalReason,
  DeadLetterSummary,
  LostAnswerReason,
  PullState,
  ReconcileState,
  ReplayOutcome,
} from '../core/observers.js'
import { MinuteSeries } from './minute-series.js'

/** An answer of a queue that did not arrive, or not as a whole. */
export interface LostAnswer {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly reason: LostAnswerReason
  /** What was met, as a clause. */
  readonly detail: string
}

export interface RefusedCallback {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** The HTTP status of the answer. */
  readonly code: number
  readonly reason: CallbackRefusalReason
}

/** The dead letters of one reason. */
export interface DeadLetterRecord {
  readonly count: number
  /** Milliseconds since the epoch. */
  readonly lastAt: number
  readonly lastEventId: string
  readonly lastDetail: string
}

/**
 * What one source has done since the start of the process, as its parts report it. Times are in milliseconds since the epoch,
 * and null before the first event. Nothing of a request is kept but what `RefusedCallback` names, so no token is shown.
 */
export class SourceRecord {
  accepted = 0
  lastAcceptedAt: number | null = null
  refused = 0
  lastRefused: RefusedCallback | null = null
  /** When the last callback was refused for each reason. */
  readonly refusedAt = new Map<CallbackRefusalReason, number>()
  /** The refused callbacks since the last one that was accepted, and when the first of them came. */
  refusedInARow = 0
  refusedSince: number | null = null
  lastReceivedAt: number | null = null
  lastPublishedAt: number | null = null
  /** What the poller does; undefined while another replica pulls the source. */
  pull: PullState | undefined
  pullFailingSince: number | null = null
  /** What the reconciler does; undefined while another replica reconciles the source. */
  reconciling: ReconcileState | undefined
  reconcilingFailingSince: number | null = null
  /** A success, and a change of the replica that pulls, leave both as they are: what is lost stays lost. */
  lostAnswers = 0
  lastLostAnswer: LostAnswer | null = null
  /** Dead letters that were handed in for replay at the admin port of this process. */
  replaysHandedIn = 0
  lastReplayHandedInAt: number | null = null
  /** What became of the items of replayed dead letters. */
  readonly replayedItems: Record<ReplayOutcome, number> = { published: 0, duplicate: 0, unreadable: 0 }
  lastReplayAt: number | null = null
  /** By reason. */
  readonly deadLetters = new Map<string, DeadLetterRecord>()
  readonly #clock: Clock
  readonly #received: MinuteSeries
  readonly #published: MinuteSeries

  constructor(clock: Clock) {
    this.#clock = clock
    this.#received = new MinuteSeries(clock)
    this.#published = new MinuteSeries(clock)
  }

  callbackAccepted(): void {
    this.accepted++
    this.refusedInARow = 0
    this.refusedSince = null
    this.received()
    this.lastAcceptedAt = this.lastReceivedAt
  }

  callbackRefused(code: number, reason: CallbackRefusalReason): void {
    const at = this.#clock.now()
    this.refused++
    this.refusedInARow++
    this.refusedSince ??= at
    this.lastRefused = { at, code, reason }
    this.refusedAt.set(reason, at)
  }

  /** Records a callback, or a page with items, that is in custody. */
  received(): void {
    this.lastReceivedAt = this.#clock.now()
    this.#received.add(1)
  }

  published(events: number): void {
    this.lastPublishedAt = this.#clock.now()
    this.#published.add(events)
  }

  deadLetter({ eventId, reason, detail }: DeadLetterSummary): void {
    const count = (this.deadLetters.get(reason)?.count ?? 0) + 1
    this.deadLetters.set(reason, { count, lastAt: this.#clock.now(), lastEventId: eventId, lastDetail: detail })
  }

  replayHandedIn(): void {
    this.replaysHandedIn++
    this.lastReplayHandedInAt = this.#clock.now()
  }

  itemReplayed(outcome: ReplayOutcome): void {
    this.replayedItems[outcome]++
    this.lastReplayAt = this.#clock.now()
  }

  pullChanged(state: PullState | undefined): void {
    this.pull = state
    if (state === undefined || state.lastError === null) this.pullFailingSince = null
    else this.pullFailingSince ??= this.#clock.now()
  }

  reconcilingChanged(state: ReconcileState): void {
    this.reconciling = state
    if (state.lastError === null) this.reconcilingFailingSince = null
    else this.reconcilingFailingSince ??= this.#clock.now()
  }

  answerLost(last: LostAnswer): void {
    this.lostAnswers++
    this.lastLostAnswer = last
  }

  /** Callbacks and pages that were received, and events that were published, in each minute of the last hour. */
  history() {
    return { received: this.#received.completeMinutes(), published: this.#published.completeMinutes() }
  }
}

export type SourceHistory = ReturnType<SourceRecord['history']>
