/**
 * The pipeline with everything around it in memory: a broker that remembers what was committed, an encoder and a publisher
 * that hold the pipeline to the rules of their ports, and a way to let any call to a port fail, or be the last one that
 * the process makes.
 */
import type { Event } from '../../src/core/event.js'
import type { EncodedEvent, Encoder, Origin } from '../../src/encode/encoder.js'
import type { Journal } from '../../src/journal/journal.js'
import { Pipeline, type PipelineDeps } from '../../src/pipeline/pipeline.js'
import type { ItemOutcome } from '../../src/core/observers.js'
import type { PipelineObserver } from '../../src/core/observers.js'
import type { Item, Provider } from '../../src/providers/provider.js'
import type { Received } from '../../src/core/received.js'
import type { OutgoingRecord, Publisher } from '../../src/kafka/publisher.js'
import { ManualClock } from './manual-clock.js'
import { MemoryJournal } from './memory-journal.js'

/** What an entry's body says, as JSON, in its first line. */
export interface ItemSpec {
  readonly kind: 'dlr' | 'mo' | 'dead-letter'
  /** What identifies it; null where nothing does. */
  readonly id: string | null
  readonly final?: boolean
}

export const dlr = (id: string, final = true): ItemSpec => ({ kind: 'dlr', id, final })
export const mo = (id: string | null = null): ItemSpec => ({ kind: 'mo', id })
/** The id of an item that no record can hold. */
export const UNFIT = 'unfit'
export const dead: ItemSpec = { kind: 'dead-letter', id: null }

export const testProvider: Provider = {
  name: 'test',
  *decode({ body }: Received): Iterable<Item> {
    const line = Buffer.from(body).toString().split('\n', 1)[0]!
    for (const spec of JSON.parse(line) as ItemSpec[]) yield itemOf(spec, body)
  },
}

export const itemOf = ({ kind, id, final = true }: ItemSpec, body: Uint8Array): Item => {
  const common = { recipient: null, occurredAt: null, raw: {}, identity: id === null ? null : [id], body }
  switch (kind) {
    case 'dlr': {
      const status = final ? 'DELIVERED' : 'ENROUTE'
      const unsaid = { sender: null, providerStatusText: null, errorCode: null }
      return { ...common, ...unsaid, kind, messageId: id ?? '', status, providerStatus: status }
    }
    case 'mo':
      return { ...common, kind, messageId: id, sender: '+33612345678', text: 'hello', keyword: null, inReplyTo: null }
    case 'dead-letter':
      return { kind, reason: 'test', detail: 'no item', body }
  }
}

/** What is on the topics, and where the journal is, for a `read_committed` consumer. */
export class TestBroker {
  readonly records: OutgoingRecord[] = []
  readonly positions = new Map<string, number>()

  get ids(): string[] {
    return this.records.map(({ headers }) => headers['ce_id']!)
  }
}

/** Rules of the ports that were broken; a test ends with none. */
export type Breaches = string[]

export type PublishOutcome = 'commit' | 'commit, then reject' | 'reject' | 'replaced'

export class TestPublisher implements Publisher {
  readonly keepsPosition: boolean
  readonly broker: TestBroker
  readonly breaches: Breaches
  opened = 0
  closed = 0
  #journalId: string | undefined
  #busy = false

  constructor(broker: TestBroker, breaches: Breaches, keepsPosition = true) {
    this.broker = broker
    this.breaches = breaches
    this.keepsPosition = keepsPosition
  }

  async open(journalId: string): Promise<number> {
    return this.#alone('open', async () => {
      this.opened++
      this.#journalId = journalId
      return this.keepsPosition ? (this.broker.positions.get(journalId) ?? -1) : -1
    })
  }

  async publish(records: readonly OutgoingRecord[], position: number): Promise<void> {
    const journalId = this.#journalId
    if (journalId === undefined) this.breaches.push('published without a producer')
    return this.#alone('publish', async () => {
      this.broker.records.push(...records)
      if (this.keepsPosition) this.broker.positions.set(journalId!, position)
    })
  }

  async close(): Promise<void> {
    this.closed++
  }

  /** After any rejection: the producer is gone. */
  doubt(): void {
    this.#journalId = undefined
  }

  async #alone<T>(what: string, operation: () => Promise<T>): Promise<T> {
    if (this.#busy) this.breaches.push(`${what} beside another producer operation`)
    this.#busy = true
    await new Promise(setImmediate)
    try {
      return await operation()
    } finally {
      this.#busy = false
    }
  }
}

export class TestEncoder implements Encoder {
  readonly breaches: Breaches
  /** Asks of `ready`. */
  asked = 0
  readonly encoded: string[] = []
  #busy = false

  constructor(breaches: Breaches) {
    this.breaches = breaches
  }

  async ready(): Promise<void> {
    this.asked++
  }

  async encode(event: Event, origin: Origin): Promise<EncodedEvent> {
    if (this.#busy) this.breaches.push('encode beside encode')
    this.#busy = true
    await Promise.resolve()
    this.#busy = false
    this.encoded.push(event.eventId)
    const key = event.kind === 'dlr' ? event.messageId : event.kind === 'mo' ? event.sender : event.source
    const value = Buffer.from(String(origin.body.byteLength))
    const records = [{ topic: event.kind, key, value, headers: { ce_id: event.eventId } }]
    const unfit = event.kind === 'dlr' && event.messageId === UNFIT
    return { records, deadLetter: event.kind === 'dead-letter' ? event.reason : unfit ? 'too-large' : null }
  }
}

export class TestObserver implements PipelineObserver {
  readonly outcomes: ItemOutcome[] = []
  readonly told: string[] = []

  released(outcomes: readonly ItemOutcome[]): void {
    this.outcomes.push(...outcomes)
    this.told.push('released')
  }
  committed(records: number): void {
    this.told.push(`committed ${records}`)
  }
  waiting(error: unknown): void {
    this.told.push(error === null ? 'goes on' : `waits: ${(error as Error).message}`)
  }
  positionLost(released: number): void {
    this.told.push(`position lost behind ${released}`)
  }
}

export type Port = 'encoder' | 'publisher' | 'journal'
/** `before`: without its effect; `after`: with it. */
export type When = 'before' | 'after'
/** What happens at a call to a port, counted from 1 over all of them; undefined: it just works. */
export type Fate = (
  call: number,
  port: Port,
  method: string,
) => { readonly when: When; readonly what: Error | 'death' | Promise<void> } | undefined

const ASYNC: Readonly<Record<Port, readonly string[]>> = {
  encoder: ['ready', 'encode'],
  publisher: ['open', 'publish'],
  journal: ['recover', 'release', 'waitForEntry'],
}

/** One process: a pipeline whose calls to its ports have a fate. */
export class Process {
  readonly publisher: TestPublisher
  readonly encoder: TestEncoder
  readonly observer = new TestObserver()
  readonly stop = new AbortController()
  readonly ended: Promise<void>
  /** Port and method of every call, in order. */
  readonly calls: string[] = []
  dead = false
  /** Whether `run` has ended, by itself or by `stop`. */
  over = false
  #encoding = false

  constructor(
    world: World,
    fate: Fate = () => undefined,
    keepsPosition = true,
    upToDate?: PipelineDeps['syncPublished'],
  ) {
    const publisher = (this.publisher = new TestPublisher(world.broker, world.breaches, keepsPosition))
    this.encoder = new TestEncoder(world.breaches)
    const journal = this.#fated('journal', world.journal, fate)
    const pipeline = new Pipeline({
      journal: keepsPosition ? releasedBelow(journal, world) : journal,
      encoder: this.#fated('encoder', this.encoder, fate),
      publisher: this.#fated('publisher', publisher, fate),
      findSource: (name) =>
        name === 'gone'
          ? undefined
          : { provider: testProvider, settings: SETTINGS, updatesWatchList: name === 'watched' },
      clock: world.clock,
      observer: this.observer,
      syncPublished: upToDate,
    })
    this.ended = pipeline.run(this.stop.signal)
    const over = (): void => void (this.over = true)
    this.ended.then(over, over)
  }

  #fated<T extends object>(port: Port, target: T, fate: Fate): T {
    return new Proxy(target, {
      get: (object, name) => {
        const value = Reflect.get(object, name, object) as unknown
        if (typeof value !== 'function') return value
        const call = (value as (...args: unknown[]) => unknown).bind(object)
        if (!ASYNC[port].includes(String(name))) return call
        return (...args: unknown[]) => this.#call(port, String(name), () => call(...args) as Promise<unknown>, fate)
      },
    })
  }

  async #call(port: Port, method: string, call: () => Promise<unknown>, fate: Fate): Promise<unknown> {
    if (this.dead) return new Promise(() => undefined)
    this.calls.push(`${port}.${method}`)
    if (port !== 'encoder') return this.#meet(port, call, fate(this.calls.length, port, method))
    if (this.#encoding) this.encoder.breaches.push(`${method} beside another call to the encoder`)
    this.#encoding = true
    try {
      return await this.#meet(port, call, fate(this.calls.length, port, method))
    } finally {
      this.#encoding = false
    }
  }

  async #meet(port: Port, call: () => Promise<unknown>, meets: ReturnType<Fate>): Promise<unknown> {
    const result = meets?.when === 'before' ? undefined : await call()
    if (meets?.what === 'death') this.dead = true
    if (this.dead) return new Promise(() => undefined)
    if (meets?.what instanceof Error) {
      if (port === 'publisher') this.publisher.doubt()
      throw meets.what
    }
    if (meets?.what instanceof Promise) await meets.what
    return meets?.when === 'before' ? call() : result
  }
}

/** Invariant 2, for everyone who releases. */
const releasedBelow = (journal: Journal, { broker, breaches }: World): Journal =>
  new Proxy(journal, {
    get: (object, name) => {
      const value = Reflect.get(object, name, object) as unknown
      if (name !== 'release') return value
      return (upTo: number, ...rest: unknown[]) => {
        if (upTo > (broker.positions.get(journal.id) ?? -1)) breaches.push(`released ${upTo} before its commit`)
        return (value as (...args: unknown[]) => unknown)(upTo, ...rest)
      }
    },
  })

const SETTINGS = { textFields: [], ignoreEvents: [] }

/** What outlives a process. */
export class World {
  readonly clock = new ManualClock()
  readonly journal = new MemoryJournal(this.clock)
  readonly broker = new TestBroker()
  readonly breaches: Breaches = []

  /** @param padding bytes, to make batches small in number of entries */
  append(items: readonly ItemSpec[], padding = 0, source = 'plain'): Promise<number> {
    const body = Buffer.concat([Buffer.from(`${JSON.stringify(items)}\n`), Buffer.alloc(padding, 'x')])
    const facts = { method: 'POST', path: '/', query: '' }
    return this.journal.append({ source, provider: 'test', via: 'PULL', receivedAt: this.clock.now(), facts, body })
  }

  /** Lets everything run, pauses included, until it holds. */
  async until(holds: () => boolean): Promise<void> {
    for (let turn = 0; turn < 20_000; turn++) {
      if (holds()) return
      await new Promise(setImmediate)
      const [pause] = this.clock.sleeps
      if (turn % 20 === 19 && pause !== undefined) await this.clock.advance(pause)
    }
    throw new Error('it does not come about')
  }

  /** A process that works off all there is, and ends. */
  async drain(process = new Process(this)): Promise<Process> {
    await this.until(() => this.journal.entries.length === 0 && process.observer.told.at(-1) !== undefined)
    process.stop.abort()
    await process.ended
    return process
  }
}
