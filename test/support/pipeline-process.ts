/**
 * A pipeline with everything around it in memory: a broker that keeps what was committed, and an encoder and a publisher
 * that check whether the pipeline keeps the rules of their ports. Any call to a port can be made to fail, to be held back,
 * or to be the last one that the process makes.
 */
import type { Event } from '../../src/core/event.js'
import type { ItemOutcome, PipelineObserver } from '../../src/core/observers.js'
import type { Received } from '../../src/core/received.js'
import type { EncodedEvent, Encoder, Origin } from '../../src/encode/encoder.js'
import type { Journal, NewEntry } from '../../src/journal/journal.js'
import type { OutgoingRecord, Publisher } from '../../src/kafka/publisher.js'
import type { BatchLimits } from '../../src/pipeline/batches.js'
import { Pipeline, type PipelineDeps } from '../../src/pipeline/pipeline.js'
import type { Item, Provider } from '../../src/providers/provider.js'
import { ManualClock } from './manual-clock.js'
import { MemoryJournal } from './memory-journal.js'

/** One item of an entry. The first line of an entry's body is a JSON array of them. */
export interface ItemSpec {
  readonly kind: 'dlr' | 'mo' | 'dead-letter'
  /** The identity of the item; null if it has none. */
  readonly id: string | null
  readonly final?: boolean
  /** The number of records that a dead letter has; default: 1. */
  readonly parts?: number
}

export const dlr = (id: string, final = true): ItemSpec => ({ kind: 'dlr', id, final })
export const mo = (id: string | null = null): ItemSpec => ({ kind: 'mo', id })
export const deadLetter: ItemSpec = { kind: 'dead-letter', id: null }
export const deadLetterOf = (parts: number): ItemSpec => ({ ...deadLetter, parts })
/** The id of a receipt that no record can hold. */
export const UNENCODABLE = 'unencodable'

const testProvider: Provider = {
  name: 'test',
  *decode({ body }: Received): Iterable<Item> {
    const line = Buffer.from(body).toString().split('\n', 1)[0]!
    for (const spec of JSON.parse(line) as ItemSpec[]) yield itemOf(spec, body)
  },
}

export const itemOf = ({ kind, id, final = true, parts = 1 }: ItemSpec, body: Uint8Array): Item => {
  const nullFields = { recipient: null, occurredAt: null, clientReference: null, network: null, part: null }
  const common = { ...nullFields, raw: {}, identity: id === null ? null : [id], body }
  switch (kind) {
    case 'dlr': {
      const status = final ? 'DELIVERED' : 'ENROUTE'
      const absent = { sender: null, providerStatusText: null, errorCode: null, segments: null, price: null }
      return { ...common, ...absent, kind, messageId: id ?? '', status, providerStatus: status }
    }
    case 'mo': {
      const absent = { keyword: null, inReplyTo: null, optOut: null }
      return { ...common, ...absent, kind, messageId: id, sender: '+33612345678', text: 'hello' }
    }
    case 'dead-letter':
      return { kind, reason: 'test', detail: String(parts), body }
  }
}

/** The topic of the marks of replays. */
const REPLAY_MARKS = 'replay-marks'

/** What a `read_committed` consumer sees: the records on the topics, and the position of each journal. */
class TestBroker {
  readonly records: OutgoingRecord[] = []
  readonly positions = new Map<string, number>()
  readonly metadata = new Map<string, string>()

  /** The ids of the records, in order, without those of marks. */
  get ids(): string[] {
    return this.records.flatMap(({ topic, headers }) => (topic === REPLAY_MARKS ? [] : [headers['ce_id']!]))
  }

  get markKeys(): ReadonlySet<string> {
    return new Set(this.records.flatMap(({ topic, key }) => (topic === REPLAY_MARKS ? [key] : [])))
  }
}

export class TestPublisher implements Publisher {
  readonly keepsPosition: boolean
  positionMetadata = ''
  readonly broker: TestBroker
  readonly violations: string[]
  openCount = 0
  closeCount = 0
  #journalId: string | undefined
  #isBusy = false

  constructor(broker: TestBroker, violations: string[], keepsPosition = true) {
    this.broker = broker
    this.violations = violations
    this.keepsPosition = keepsPosition
  }

  async open(journalId: string): Promise<number> {
    return this.#runAlone('open', async () => {
      this.openCount++
      this.#journalId = journalId
      if (this.keepsPosition) this.positionMetadata = this.broker.metadata.get(journalId) ?? ''
      return this.keepsPosition ? (this.broker.positions.get(journalId) ?? -1) : -1
    })
  }

  async publish(records: readonly OutgoingRecord[], position: number, metadata = ''): Promise<void> {
    const journalId = this.#journalId
    if (journalId === undefined) this.violations.push('publish without a producer')
    return this.#runAlone('publish', async () => {
      this.broker.records.push(...records)
      if (!this.keepsPosition) return
      this.broker.positions.set(journalId!, position)
      this.broker.metadata.set(journalId!, metadata)
    })
  }

  async close(): Promise<void> {
    this.closeCount++
  }

  /** Discards the producer, as after any rejection. */
  discardProducer(): void {
    this.#journalId = undefined
  }

  async #runAlone<T>(method: string, operation: () => Promise<T>): Promise<T> {
    if (this.#isBusy) this.violations.push(`${method} during another producer operation`)
    this.#isBusy = true
    await new Promise(setImmediate)
    try {
      return await operation()
    } finally {
      this.#isBusy = false
    }
  }
}

export class TestEncoder implements Encoder {
  readonly violations: string[]
  /** The ids of the events that were encoded, in order. */
  readonly encoded: string[] = []
  /** The parts of one dead letter differ in their values by this number. */
  partBytes = 1

  constructor(violations: string[]) {
    this.violations = violations
  }

  async ready(): Promise<void> {}

  encode(event: Event, origin: Origin): EncodedEvent {
    this.encoded.push(event.eventId)
    const key = event.kind === 'dlr' ? event.messageId : event.kind === 'mo' ? event.sender : event.source
    const parts = event.kind === 'dead-letter' && event.reason === 'test' ? Number(event.detail) : 1
    const records = Array.from({ length: parts }, (_, part) => {
      const id = part === 0 ? event.eventId : `${event.eventId}/${part}`
      const value = Buffer.from(String(origin.body.byteLength + this.partBytes * part))
      const { traceparent } = origin
      const headers = { ce_id: id, ...(traceparent !== undefined && { traceparent }) }
      return { topic: event.kind, key, value, headers }
    })
    const isUnencodable = event.kind === 'dlr' && event.messageId === UNENCODABLE
    const { eventId } = event
    if (isUnencodable) return { records, deadLetter: { eventId, reason: 'too-large', detail: 'no record can hold it' } }
    if (event.kind !== 'dead-letter') return { records, deadLetter: null }
    return { records, deadLetter: { eventId, reason: event.reason, detail: event.detail } }
  }
}

export class TestObserver implements PipelineObserver {
  readonly outcomes: ItemOutcome[] = []
  /** Every report in order, as text. */
  readonly reports: string[] = []

  released(outcomes: readonly ItemOutcome[]): void {
    this.outcomes.push(...outcomes)
    this.reports.push('released')
  }
  committed(records: number): void {
    this.reports.push(`committed ${records}`)
  }
  waiting(error: unknown): void {
    this.reports.push(error === null ? 'healthy' : `waiting: ${(error as Error).message}`)
  }
  positionLost(released: number): void {
    this.reports.push(`position lost, released up to ${released}`)
  }
  entryRepublished({ source }: { source: string }): void {
    this.reports.push(`an entry of ${source} is published again`)
  }
  replayGivenUp({ eventId }: { eventId: string }, reason: string): void {
    this.reports.push(`the replay of ${eventId} is given up: ${reason}`)
  }
}

type Port = 'encoder' | 'publisher' | 'journal'

export interface Fault {
  /** Whether the fault occurs before the call takes effect, or after that. */
  readonly when: 'before' | 'after'
  /** The call fails, the process crashes, or the answer of the call is held back until the promise resolves. */
  readonly what: Error | 'crash' | Promise<void>
}

/** Decides for each call to a port, counted from 1 over all ports, which fault it meets; undefined for none. */
export type FaultPlan = (call: number, port: Port, method: string) => Fault | undefined

const ASYNC_METHODS: Readonly<Record<Port, readonly string[]>> = {
  encoder: ['ready'],
  publisher: ['open', 'publish'],
  journal: ['recover', 'release', 'waitForEntry'],
}

export interface PipelineProcessOptions {
  readonly faultPlan?: FaultPlan
  readonly keepsPosition?: boolean
  readonly syncPublished?: PipelineDeps['syncPublished']
  /** Why the marks of replays can't be read; undefined if they can. */
  readonly unavailableMarks?: string
  readonly limits?: BatchLimits | undefined
  /** The share of the product if null; by default 1, so that a test can state the batches that it expects. */
  readonly firstBatchShare?: null
  readonly tracing?: PipelineDeps['tracing']
}

/** One process: a pipeline that runs until it is stopped or crashes. */
export class PipelineProcess {
  readonly publisher: TestPublisher
  readonly encoder: TestEncoder
  readonly observer = new TestObserver()
  readonly stop = new AbortController()
  readonly ended: Promise<void>
  /** Port and method of every call, in order. */
  readonly calls: string[] = []
  hasCrashed = false
  /** Whether `run` has ended, by itself or because of `stop`. */
  hasEnded = false
  readonly #faultPlan: FaultPlan
  readonly #pipeline: Pipeline
  #isEncoderBusy = false

  constructor(environment: TestEnvironment, options: PipelineProcessOptions = {}) {
    const {
      faultPlan = () => undefined,
      keepsPosition = true,
      syncPublished,
      unavailableMarks,
      limits,
      firstBatchShare,
      tracing,
    } = options
    this.#faultPlan = faultPlan
    this.publisher = new TestPublisher(environment.broker, environment.violations, keepsPosition)
    this.encoder = new TestEncoder(environment.violations)
    const journal = this.#withFaults('journal', environment.journal)
    this.#pipeline = new Pipeline({
      journal: keepsPosition ? checkReleases(journal, environment) : journal,
      encoder: this.#withFaults('encoder', this.encoder),
      publisher: this.#withFaults('publisher', this.publisher),
      findSource: (name) =>
        name === 'gone'
          ? undefined
          : { provider: testProvider, settings: SETTINGS, updatesWatchList: name === 'watched' },
      clock: environment.clock,
      observer: this.observer,
      replayMarks: {
        topic: REPLAY_MARKS,
        read: async () =>
          unavailableMarks === undefined ? { keys: environment.broker.markKeys } : { unavailable: unavailableMarks },
      },
      syncPublished,
      tracing,
      ...(firstBatchShare === undefined && { firstBatchShare: 1 }),
      ...(limits && { limits }),
    })
    this.ended = this.#pipeline.run(this.stop.signal)
    const onEnd = (): void => {
      this.hasEnded = true
    }
    this.ended.then(onEnd, onEnd)
  }

  /** Reopens the pipeline. What is applied is recorded among the calls. */
  reopen(): void {
    this.#pipeline.reopen(() => this.calls.push('apply'))
  }

  /** How often a method was called, for example `publisher.publish`. */
  count(call: string): number {
    return this.calls.filter((each) => each === call).length
  }

  #withFaults<T extends object>(port: Port, target: T): T {
    return new Proxy(target, {
      get: (object, name) => {
        const value = Reflect.get(object, name, object) as unknown
        if (typeof value !== 'function') return value
        const call = (value as (...args: unknown[]) => unknown).bind(object)
        if (name === 'encode') return (...args: unknown[]) => this.#callSync(port, 'encode', () => call(...args))
        if (!ASYNC_METHODS[port].includes(String(name))) return call
        return (...args: unknown[]) => this.#call(port, String(name), () => call(...args) as Promise<unknown>)
      },
    })
  }

  async #call(port: Port, method: string, call: () => Promise<unknown>): Promise<unknown> {
    if (this.hasCrashed) return new Promise(() => undefined)
    this.calls.push(`${port}.${method}`)
    const fault = this.#faultPlan(this.calls.length, port, method)
    if (port !== 'encoder') return this.#callWithFault(port, call, fault)
    if (this.#isEncoderBusy) this.encoder.violations.push(`${method} during another call to the encoder`)
    this.#isEncoderBusy = true
    try {
      return await this.#callWithFault(port, call, fault)
    } finally {
      this.#isEncoderBusy = false
    }
  }

  /** Like `#call`, for a method that returns its result. A crash ends it with an error, because it can't wait for ever. */
  #callSync(port: Port, method: string, call: () => unknown): unknown {
    if (this.hasCrashed) throw new Error('the process has crashed')
    this.calls.push(`${port}.${method}`)
    const fault = this.#faultPlan(this.calls.length, port, method)
    const result = fault?.when === 'before' ? undefined : call()
    if (fault?.what === 'crash') {
      this.hasCrashed = true
      throw new Error('the process has crashed')
    }
    if (fault?.what instanceof Error) throw fault.what
    return fault?.when === 'before' ? call() : result
  }

  async #callWithFault(port: Port, call: () => Promise<unknown>, fault: Fault | undefined): Promise<unknown> {
    const result = fault?.when === 'before' ? undefined : await call()
    if (fault?.what === 'crash') this.hasCrashed = true
    if (this.hasCrashed) return new Promise(() => undefined)
    if (fault?.what instanceof Error) {
      if (port === 'publisher') this.publisher.discardProducer()
      throw fault.what
    }
    if (fault?.what instanceof Promise) await fault.what
    return fault?.when === 'before' ? call() : result
  }
}

/** Invariant 2: records a violation whenever an entry is released above the committed position. */
const checkReleases = (journal: Journal, { broker, violations }: TestEnvironment): Journal =>
  new Proxy(journal, {
    get: (object, name) => {
      const value = Reflect.get(object, name, object) as unknown
      if (name !== 'release') return value
      return (upTo: number, ...rest: unknown[]) => {
        if (upTo > (broker.positions.get(journal.id) ?? -1)) violations.push(`release of ${upTo} before its commit`)
        return (value as (...args: unknown[]) => unknown)(upTo, ...rest)
      }
    },
  })

const SETTINGS = { textFields: [], ignoreEvents: [] }

/** Everything that outlives a process: the clock, the journal and the broker. */
export class TestEnvironment {
  readonly clock = new ManualClock()
  readonly journal = new MemoryJournal(this.clock)
  readonly broker = new TestBroker()
  /** The rules of ports that were broken. A test ends with none. */
  readonly violations: string[] = []

  /** @param paddingBytes make an entry large, so that a batch holds few entries */
  append(
    items: readonly ItemSpec[],
    paddingBytes = 0,
    source = 'plain',
    more: Pick<NewEntry, 'origin' | 'traceparent'> = {},
  ): Promise<number> {
    const body = Buffer.concat([Buffer.from(`${JSON.stringify(items)}\n`), Buffer.alloc(paddingBytes, 'x')])
    const facts = { method: 'POST', path: '/', query: '' }
    const entry = { source, provider: 'test', via: 'PULL', receivedAt: this.clock.now(), facts, body } as const
    return this.journal.append({ ...entry, ...more })
  }

  /** Lets everything run, and every sleep end, until the condition holds. */
  async until(condition: () => boolean): Promise<void> {
    for (let turn = 0; turn < 20_000; turn++) {
      if (condition()) return
      await new Promise(setImmediate)
      const [sleep] = this.clock.sleeps
      if (turn % 20 === 19 && sleep !== undefined) await this.clock.advance(sleep)
    }
    throw new Error('the condition did not come true within 20,000 turns of the event loop')
  }

  /** Runs a process until the journal is empty, and stops it. */
  async drain(running = new PipelineProcess(this)): Promise<PipelineProcess> {
    await this.until(() => this.journal.entries.length === 0 && running.observer.reports.length > 0)
    running.stop.abort()
    await running.ended
    return running
  }
}
