/** A reconciler that queries the seven simulator, with the real pipeline behind its journal and a clock that the test moves. */
import { SevenSimulator, type SevenOptions } from '../../dev/simulators/seven.js'
import type { Encoder } from '../../src/encode/encoder.js'
import type { Event } from '../../src/core/event.js'
import type {
  ReconcileEndpoint,
  ReconcileObserver,
  ReconcileOutcome,
  ReconcileState,
} from '../../src/core/observers.js'
import type { ReconcilerOptions } from '../../src/reconciliation/reconcile-client.js'
import type { Tracing } from '../../src/core/tracing.js'
import { Reconciler } from '../../src/reconciliation/reconciler.js'
import type { Journal } from '../../src/journal/journal.js'
import { KnownItems } from '../../src/reconciliation/known-items.js'
import { Pipeline } from '../../src/pipeline/pipeline.js'
import type { ItemOutcome } from '../../src/core/observers.js'
import type { ReconcileProtocol } from '../../src/providers/provider.js'
import type { OutgoingRequest } from '../../src/http-client/connection.js'
import { seven } from '../../src/providers/seven/index.js'
import { RecordingLog } from './recording-observers.js'
import { ManualClock } from './manual-clock.js'
import { MemoryBroker, MemoryPublisher } from './memory-publisher.js'
import { MemoryJournal } from './memory-journal.js'

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const SOURCE = 'seven-main'

const sevenProtocol = (): ReconcileProtocol => {
  if (seven.reconcile === undefined) throw new Error('provider seven has no reconcile protocol')
  return seven.reconcile
}

export interface StatusQuery {
  /** By the test's clock. */
  readonly at: number
  readonly ids: readonly string[]
}

export class RecordingReconcileObserver implements ReconcileObserver {
  readonly requests: { readonly endpoint: ReconcileEndpoint; readonly outcome: ReconcileOutcome }[] = []
  readonly states: ReconcileState[] = []
  givenUp = 0
  knownItems = 0

  requestEnded(_source: string, endpoint: ReconcileEndpoint, outcome: ReconcileOutcome): void {
    this.requests.push({ endpoint, outcome })
  }
  knownItemsDropped(_source: string, items: number): void {
    this.knownItems += items
  }
  messagesGivenUp(_source: string, messages: number): void {
    this.givenUp += messages
  }
  custodyTaken(): void {}
  stateChanged(_source: string, state: ReconcileState): void {
    this.states.push(state)
  }

  get last(): ReconcileState | undefined {
    return this.states.at(-1)
  }

  outcomes(endpoint: ReconcileEndpoint): ReconcileOutcome[] {
    return this.requests.flatMap((each) => (each.endpoint === endpoint ? [each.outcome] : []))
  }
}

/** Encodes events as JSON, so that a test can read what the pipeline published. */
const jsonEncoder: Encoder = {
  ready: () => Promise.resolve(),
  encode: (event) => {
    const value = Buffer.from(JSON.stringify(event))
    const records = [{ topic: event.kind, key: event.source, value, headers: {} }]
    const { eventId } = event
    const deadLetter = event.kind === 'dead-letter' ? { eventId, reason: event.reason, detail: event.detail } : null
    return { records, deadLetter }
  },
}

/** The state that successive runs of a connector share. */
export interface SharedState {
  readonly journal: Journal
  readonly clock: ManualClock
  readonly broker: MemoryBroker
  readonly tracing: Tracing
}

export class TestedReconciler {
  readonly clock: ManualClock
  readonly journal: Journal
  readonly broker: MemoryBroker
  readonly log = new RecordingLog()
  readonly observer = new RecordingReconcileObserver()
  readonly outcomes: ItemOutcome[] = []
  /** Every status query in order. */
  readonly queries: StatusQuery[] = []
  /** Every request for a page of a message log, in order. */
  readonly logRequests: { readonly at: number; readonly url: URL }[] = []
  readonly reconciler: Reconciler
  readonly #publisher: MemoryPublisher
  readonly #stop = new AbortController()
  readonly #pipeline: Promise<void>
  #resumePublishing: (() => void) | undefined
  #sent = 0

  constructor(url: string, options: Partial<ReconcilerOptions> = {}, shared: Partial<SharedState> = {}) {
    this.clock = shared.clock ?? new ManualClock()
    this.journal = shared.journal ?? new MemoryJournal(this.clock)
    this.broker = shared.broker ?? new MemoryBroker()
    this.#publisher = new MemoryPublisher(this.broker)
    const source = () => ({ provider: seven, settings: { textFields: [], ignoreEvents: [] }, updatesWatchList: true })
    this.reconciler = new Reconciler(
      {
        source: SOURCE,
        url,
        apiKey: 'demo-key',
        after: 15 * MINUTE,
        every: 5 * MINUTE,
        giveUpAfter: 72 * HOUR,
        requestsPerSecond: 5,
        log: { every: HOUR, days: 2 },
        maxLookBackMs: 28 * 24 * HOUR,
        ...options,
      },
      {
        provider: { ...seven, reconcile: this.#recording(sevenProtocol()) },
        journal: this.journal,
        knownItems: new KnownItems({ journal: this.journal, findSource: source }),
        clock: this.clock,
        log: this.log,
        observer: this.observer,
        random: () => 0.5,
        tracing: shared.tracing,
      },
    )
    this.#pipeline = new Pipeline({
      journal: this.journal,
      encoder: jsonEncoder,
      publisher: this.#publisher,
      findSource: source,
      clock: this.clock,
      tracing: shared.tracing,
      observer: {
        released: (outcomes) => void this.outcomes.push(...outcomes),
        committed: () => undefined,
        waiting: () => undefined,
        positionLost: () => undefined,
        entryRepublished: () => undefined,
        replayGivenUp: () => undefined,
      },
      replayMarks: { topic: 'replays', read: async () => ({ keys: new Set<string>() }) },
    }).run(this.#stop.signal)
  }

  /** The events that have been published so far. */
  get events(): Event[] {
    return this.broker.records.map(({ value }) => JSON.parse(value.toString()) as Event)
  }

  /** The published receipts, each as `messageId providerStatus via`. */
  get receipts(): string[] {
    return this.events.flatMap((event) =>
      event.kind === 'dlr' ? [`${event.messageId} ${event.providerStatus} ${event.via}`] : [],
    )
  }

  /** Ids of the messages on the watch list. */
  get watched(): string[] {
    return [...this.journal.watchList.list(SOURCE)].map(({ messageId }) => messageId)
  }

  watch(...messageIds: string[]): Promise<void> {
    return this.journal.watchList.add(SOURCE, messageIds, this.clock.now())
  }

  /** Appends a callback to the journal as the callback server does. */
  async receiveCallback(messageId: string, status: string): Promise<void> {
    await this.journal.append({
      source: SOURCE,
      provider: 'seven',
      via: 'CALLBACK',
      receivedAt: this.clock.now(),
      facts: { method: 'GET', path: `/callbacks/${SOURCE}`, query: `msg_id=${messageId}&status=${status}` },
      body: new Uint8Array(),
    })
  }

  /** Stops publishing until the returned function is called. */
  holdPublishing(): () => void {
    const held = new Promise<void>((resolve) => {
      this.#resumePublishing = resolve
    })
    this.#publisher.beforeCommit = () => held
    return () => {
      this.#publisher.beforeCommit = () => undefined
      this.#resumePublishing?.()
      this.#resumePublishing = undefined
    }
  }

  /** Moves the clock forward and lets everything happen that becomes due. */
  async advance(ms: number): Promise<void> {
    const end = this.clock.monotonic() + ms
    await this.untilQuiet()
    while (this.clock.monotonic() < end) {
      const left = end - this.clock.monotonic()
      await this.clock.advance(Math.min(this.clock.next ?? left, left))
      await this.untilQuiet()
    }
  }

  /** Resolves when nothing more can happen before the clock moves. */
  async untilQuiet(): Promise<void> {
    for (let turns = 0; turns < 8; turns++) {
      await new Promise((resolve) => setImmediate(resolve))
      const publishing = this.#resumePublishing === undefined && this.journal.stats().entries > 0
      if (publishing || this.#sent > this.observer.requests.length) turns = 0
    }
  }

  async stop(): Promise<void> {
    await this.reconciler.stop()
    this.#stop.abort()
    this.#resumePublishing?.()
    await this.#pipeline
  }

  /** Records each request with the time of the test's clock. */
  #recording(reconcile: ReconcileProtocol): ReconcileProtocol {
    const countRequest = (request: OutgoingRequest): OutgoingRequest => {
      this.#sent++
      return request
    }
    return {
      ...reconcile,
      statusRequest: (account, ids) => {
        this.queries.push({ at: this.clock.now(), ids })
        return countRequest(reconcile.statusRequest(account, ids))
      },
      logRequest: (...parameters) => {
        const request = countRequest(reconcile.logRequest(...parameters))
        this.logRequests.push({ at: this.clock.now(), url: new URL(request.url) })
        return request
      },
    }
  }
}

/** Creates reconcilers and simulators for tests, and stops them all after a test. */
export class ReconcilerFixtures {
  readonly #tested: TestedReconciler[] = []
  readonly #simulators: SevenSimulator[] = []

  async simulator(options?: SevenOptions): Promise<SevenSimulator> {
    const simulator = await SevenSimulator.start(options)
    this.#simulators.push(simulator)
    return simulator
  }

  /** Creates a reconciler without starting it. */
  reconciler(url: string, options?: Partial<ReconcilerOptions>, shared?: Partial<SharedState>): TestedReconciler {
    const tested = new TestedReconciler(url, options, shared)
    this.#tested.push(tested)
    return tested
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.#tested.splice(0).map((tested) => tested.stop()))
    await Promise.all(this.#simulators.splice(0).map((simulator) => simulator.stop()))
  }
}
