/** A reconciler of the seven simulator, with the real pipeline behind its journal and a clock that a test moves. */
import { SevenSimulator, type SevenOptions } from '../../dev/simulators/seven.js'
import type { Encoder } from '../../src/encode/encoder.js'
import type { Event } from '../../src/core/event.js'
import type {
  ReconcileEndpoint,
  ReconcileObserver,
  ReconcileOutcome,
  ReconcileState,
} from '../../src/core/observers.js'
import { Reconciler, type ReconcilerOptions } from '../../src/reconciliation/reconciler.js'
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

const protocol = (): ReconcileProtocol => {
  if (seven.reconcile === undefined) throw new Error('seven can be asked again')
  return seven.reconcile
}

export interface Query {
  readonly at: number
  readonly ids: readonly string[]
}

export class KeptReconciling implements ReconcileObserver {
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

/** Values as JSON: what the pipeline gave to publish can be read again. */
const jsonEncoder: Encoder = {
  ready: () => Promise.resolve(),
  encode: (event) => {
    const value = Buffer.from(JSON.stringify(event))
    const records = [{ topic: event.kind, key: event.source, value, headers: {} }]
    return Promise.resolve({ records, deadLetter: event.kind === 'dead-letter' ? event.reason : null })
  },
}

/** What several runs of a connector have in common. */
export interface Kept {
  readonly journal: Journal
  readonly clock: ManualClock
  readonly broker: MemoryBroker
}

export class TestedReconciler {
  readonly clock: ManualClock
  readonly journal: Journal
  readonly broker: MemoryBroker
  readonly log = new RecordingLog()
  readonly observer = new KeptReconciling()
  readonly outcomes: ItemOutcome[] = []
  /** Every question that was put, by the test's clock. */
  readonly queries: Query[] = []
  readonly walks: { readonly at: number; readonly url: URL }[] = []
  readonly reconciler: Reconciler
  readonly #publisher: MemoryPublisher
  readonly #stop = new AbortController()
  readonly #pipeline: Promise<void>
  #letPublish: (() => void) | undefined
  #asked = 0

  constructor(url: string, options: Partial<ReconcilerOptions> = {}, kept: Partial<Kept> = {}) {
    this.clock = kept.clock ?? new ManualClock()
    this.journal = kept.journal ?? new MemoryJournal(this.clock)
    this.broker = kept.broker ?? new MemoryBroker()
    this.#publisher = new MemoryPublisher(this.broker)
    const source = () => ({ provider: seven, settings: { textFields: [], ignoreEvents: [] }, watch: true })
    const known = new KnownItems({ journal: this.journal, source })
    this.reconciler = new Reconciler(
      {
        source: SOURCE,
        account: { url, apiKey: 'demo-key' },
        after: 15 * MINUTE,
        every: 5 * MINUTE,
        giveUpAfter: 72 * HOUR,
        requestsPerSecond: 5,
        log: { every: HOUR, days: 2 },
        reach: 28 * 24 * HOUR,
        ...options,
      },
      {
        provider: { ...seven, reconcile: this.#watched(protocol()) },
        journal: this.journal,
        recognise: (entry) => known.recognise(entry),
        clock: this.clock,
        log: this.log,
        observer: this.observer,
        random: () => 0.5,
      },
    )
    this.#pipeline = new Pipeline({
      journal: this.journal,
      encoder: jsonEncoder,
      publisher: this.#publisher,
      source,
      clock: this.clock,
      observer: {
        released: (outcomes) => void this.outcomes.push(...outcomes),
        committed: () => undefined,
        waiting: () => undefined,
        positionLost: () => undefined,
      },
    }).run(this.#stop.signal)
  }

  /** What was published so far. */
  get events(): Event[] {
    return this.broker.records.map(({ value }) => JSON.parse(value.toString()) as Event)
  }

  /** `messageId status via` of each published receipt. */
  get receipts(): string[] {
    return this.events.flatMap((event) =>
      event.kind === 'dlr' ? [`${event.messageId} ${event.providerStatus} ${event.via}`] : [],
    )
  }

  get watched(): string[] {
    return [...this.journal.watchList.list(SOURCE)].map(({ messageId }) => messageId)
  }

  watch(...messageIds: string[]): Promise<void> {
    return this.journal.watchList.add(SOURCE, messageIds, this.clock.now())
  }

  /** A callback as the callback server would have journaled it. */
  async callback(messageId: string, status: string): Promise<void> {
    await this.journal.append({
      source: SOURCE,
      provider: 'seven',
      via: 'CALLBACK',
      receivedAt: this.clock.now(),
      facts: { method: 'GET', path: `/callbacks/${SOURCE}`, query: `msg_id=${messageId}&status=${status}` },
      body: new Uint8Array(),
    })
  }

  /** From now on nothing is published, until the returned function is called. */
  holdPublishing(): () => void {
    const held = new Promise<void>((resolve) => (this.#letPublish = resolve))
    this.#publisher.beforeCommit = () => held
    return () => {
      this.#publisher.beforeCommit = () => undefined
      this.#letPublish?.()
      this.#letPublish = undefined
    }
  }

  /** Lets so much time pass, and all that happens in it happen. */
  async pass(ms: number): Promise<void> {
    const end = this.clock.monotonic() + ms
    await this.quiet()
    while (this.clock.monotonic() < end) {
      const left = end - this.clock.monotonic()
      await this.clock.advance(Math.min(this.clock.next ?? left, left))
      await this.quiet()
    }
  }

  /** Resolves when nothing more happens until the clock is moved. */
  async quiet(): Promise<void> {
    for (let turns = 0; turns < 8; turns++) {
      await new Promise((resolve) => setImmediate(resolve))
      const publishing = this.#letPublish === undefined && this.journal.stats().entries > 0
      if (publishing || this.#asked > this.observer.requests.length) turns = 0
    }
  }

  async stop(): Promise<void> {
    await this.reconciler.stop()
    this.#stop.abort()
    this.#letPublish?.()
    await this.#pipeline
  }

  /** Notes what is asked, and when by the test's clock. */
  #watched(reconcile: ReconcileProtocol): ReconcileProtocol {
    const asked = (request: OutgoingRequest): OutgoingRequest => {
      this.#asked++
      return request
    }
    return {
      ...reconcile,
      statusRequest: (account, ids) => {
        this.queries.push({ at: this.clock.now(), ids })
        return asked(reconcile.statusRequest(account, ids))
      },
      logRequest: (...of) => {
        const request = asked(reconcile.logRequest(...of))
        this.walks.push({ at: this.clock.now(), url: new URL(request.url) })
        return request
      },
    }
  }
}

/** Both, and put away by `stopAll`. */
export class ReconcilerBench {
  readonly #tested: TestedReconciler[] = []
  readonly #simulators: SevenSimulator[] = []

  async simulator(options?: SevenOptions): Promise<SevenSimulator> {
    const simulator = await SevenSimulator.start(options)
    this.#simulators.push(simulator)
    return simulator
  }

  /** Not started. */
  reconciler(url: string, options?: Partial<ReconcilerOptions>, kept?: Partial<Kept>): TestedReconciler {
    const tested = new TestedReconciler(url, options, kept)
    this.#tested.push(tested)
    return tested
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.#tested.splice(0).map((tested) => tested.stop()))
    await Promise.all(this.#simulators.splice(0).map((simulator) => simulator.stop()))
  }
}
