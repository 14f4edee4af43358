/**
 * Records the spans of traces with the SDK of OpenTelemetry.
 *
 *     POST /callbacks/{source}   SERVER     from the headers to the answer, which follows the fsync
 *     `- publish {source}        PRODUCER   from decoding to the commit; its id is in the records' traceparent
 *        |- decode {source}      INTERNAL   decoding and encoding of the items that go into one batch
 *        |- dead letter          INTERNAL   one for each of the first dead letters
 *
 *     send {topic}               CLIENT     a Kafka transaction, linked with the span `publish` of each of its entries
 *
 * A page of a queue, or the answer to a query, has a CLIENT span in place of the first one.
 *
 * Whether a trace is recorded is decided before its first span is made, because at full load most of the cost would be that
 * of spans that are then dropped. The names and attributes are those of the semantic conventions where there are any. No
 * attribute holds personal data: neither queries, nor addresses of callers, nor contents.
 */
import {
  type Attributes,
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer,
} from '@opentelemetry/api'
import type { Clock } from '../core/clock.js'
import { codeOf } from '../core/errors.js'
import type { ItemOutcome } from '../core/observers.js'
import type {
  AcceptedCallback,
  EntrySpan,
  ProviderRequest,
  RequestResult,
  RequestSpan,
  TracedBatch,
  TracedEntry,
  Tracing,
  TransactionSpan,
} from '../core/tracing.js'
import type { Sampling } from './settings.js'
import { formatTraceparent, parseTraceparent, type TraceContext } from './trace-context.js'

export interface OtlpTracingDeps {
  readonly tracer: Tracer
  readonly clock: Clock
  /** Returns a number in [0, 1). The default is Math.random. */
  readonly random?: () => number
}

/** A page may hold a thousand dead letters. All of them are counted, and the first ones have spans. */
const MAX_DEAD_LETTER_SPANS = 16
/** The times of spans follow the wall clock when it has moved by more than this. */
const MAX_CLOCK_DRIFT_MS = 50

export class OtlpTracing implements Tracing {
  readonly #deps: OtlpTracingDeps
  readonly #sampling: Sampling
  /** The wall clock minus the monotonic one. */
  #offsetMs = Number.NaN

  constructor(sampling: Sampling, deps: OtlpTracingDeps) {
    this.#sampling = sampling
    this.#deps = deps
  }

  startCallback(callback: AcceptedCallback): RequestSpan | undefined {
    const { source, provider, method, startedAt } = callback
    const parent = callback.isAuthenticated ? parseTraceparent(callback.traceparent) : undefined
    if (!this.#isSampled(parent)) return parent && passOn(parent)
    const route = `/callbacks/${source}`
    const span = this.#start(`${method} ${route}`, SpanKind.SERVER, contextOf(parent), this.#toEpoch(startedAt), {
      'http.request.method': method,
      'http.route': route,
      'dlrmo.source': source,
      'dlrmo.provider': provider,
    })
    return this.#requestSpan(span)
  }

  startProviderRequest({ source, provider, method, url }: ProviderRequest): RequestSpan | undefined {
    if (!this.#isSampled(undefined)) return undefined
    const { hostname, port, protocol, pathname } = new URL(url)
    const span = this.#start(`${method} ${source}`, SpanKind.CLIENT, ROOT_CONTEXT, this.#now(), {
      'http.request.method': method,
      'server.address': hostname,
      'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
      // Without the query, which holds the credentials of a queue.
      'url.path': pathname,
      'dlrmo.source': source,
      'dlrmo.provider': provider,
    })
    return this.#requestSpan(span)
  }

  startEntry(entry: TracedEntry): EntrySpan | undefined {
    const parent = parseTraceparent(entry.traceparent)
    if (parent === undefined) return undefined
    if (!parent.isSampled) return new PassedOnEntry(formatTraceparent(parent))
    const { source, provider, seq, receivedAt } = entry
    const startedAt = this.#now()
    const span = this.#start(`publish ${source}`, SpanKind.PRODUCER, contextOf(parent), startedAt, {
      'messaging.system': 'kafka',
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'create',
      'dlrmo.source': source,
      'dlrmo.provider': provider,
      'dlrmo.journal.seq': seq,
      'dlrmo.journal.seconds': Math.max(0, startedAt - receivedAt) / 1_000,
    })
    return new RecordedEntry(span, source, { ...this.#deps, now: () => this.#now() })
  }

  startTransaction({ records, entrySpans, unfinishedSpan }: TracedBatch): TransactionSpan | undefined {
    const recorded = entrySpans.filter((span) => span instanceof RecordedEntry)
    if (recorded.length === 0) return undefined
    const topics = new Set(records.map(({ topic }) => topic))
    const [topic] = topics
    const links: Link[] = recorded.map(({ span }) => ({ context: span.spanContext() }))
    const hasOneTopic = topics.size === 1
    const name = hasOneTopic ? `send ${topic}` : 'send'
    const attributes = {
      'messaging.system': 'kafka',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.batch.message_count': records.length,
      ...(hasOneTopic && { 'messaging.destination.name': topic }),
    }
    const span = this.#start(name, SpanKind.CLIENT, ROOT_CONTEXT, this.#now(), attributes, links)
    return {
      end: (error) => {
        const now = this.#now()
        if (error !== undefined) setError(span, codeOf(error))
        span.end(now)
        for (const entry of recorded) {
          entry.addTransaction(span)
          if (error !== undefined) entry.fail(codeOf(error), now)
          else if (entry !== unfinishedSpan) entry.finish(now)
        }
      },
    }
  }

  /** @param parent the trace that a caller has begun; undefined for one that begins here */
  #isSampled(parent: TraceContext | undefined): boolean {
    const { ratio, isParentBased } = this.#sampling
    if (parent !== undefined && isParentBased) return parent.isSampled
    const { random = Math.random } = this.#deps
    return random() < ratio
  }

  #start(
    name: string,
    kind: SpanKind,
    context: Context,
    startTime: number,
    attributes: Attributes,
    links: Link[] = [],
  ): Span {
    return this.#deps.tracer.startSpan(name, { kind, startTime, attributes, links }, context)
  }

  #requestSpan(span: Span): RequestSpan {
    return {
      traceparent: traceparentOf(span),
      end: ({ status, outcome, error }: RequestResult) => {
        if (typeof status === 'number') span.setAttribute('http.response.status_code', status)
        if (outcome !== undefined) span.setAttribute('dlrmo.outcome', outcome)
        if (error !== undefined) setError(span, error)
        span.end(this.#now())
      },
    }
  }

  /** Milliseconds since the epoch, with a fraction that the wall clock does not have. */
  #now(): number {
    return this.#toEpoch(this.#deps.clock.monotonic())
  }

  #toEpoch(monotonic: number): number {
    const { clock } = this.#deps
    const offsetMs = clock.now() - clock.monotonic()
    if (!(Math.abs(offsetMs - this.#offsetMs) < MAX_CLOCK_DRIFT_MS)) this.#offsetMs = offsetMs
    return this.#offsetMs + monotonic
  }
}

const setError = (span: Span, type: string): void => {
  span.setAttribute('error.type', type)
  span.setStatus({ code: SpanStatusCode.ERROR, message: type })
}

const contextOf = (parent: TraceContext | undefined): Context => {
  if (parent === undefined) return ROOT_CONTEXT
  const { traceId, spanId } = parent
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true })
}

const traceparentOf = (span: Span): string => {
  const { traceId, spanId } = span.spanContext()
  return formatTraceparent({ traceId, spanId, isSampled: true })
}

/**
 * What the journal keeps of a trace that is not recorded here: the context of the caller. With the sampler `traceidratio` its
 * flag is cleared, so that the pipeline does not record what the callback was not recorded for.
 */
const passOn = (parent: TraceContext): RequestSpan => ({
  traceparent: formatTraceparent({ ...parent, isSampled: false }),
  end: () => undefined,
})

class PassedOnEntry implements EntrySpan {
  readonly isRecorded = false
  readonly traceparent: string

  constructor(traceparent: string) {
    this.traceparent = traceparent
  }

  startDecoding(): void {}
  endDecoding(): void {}
}

interface RecordedEntryDeps {
  readonly tracer: Tracer
  readonly now: () => number
}

class RecordedEntry implements EntrySpan {
  readonly isRecorded = true
  readonly traceparent: string
  readonly span: Span
  readonly #source: string
  readonly #deps: RecordedEntryDeps
  readonly #context: Context
  #decoding: Span | undefined
  #items = 0
  #duplicates = 0
  #deadLetters = 0

  constructor(span: Span, source: string, deps: RecordedEntryDeps) {
    this.span = span
    this.traceparent = traceparentOf(span)
    this.#source = source
    this.#deps = deps
    this.#context = trace.setSpan(ROOT_CONTEXT, span)
  }

  startDecoding(): void {
    this.#decoding = this.#startChild('decode', { 'dlrmo.source': this.#source })
  }

  endDecoding(outcomes: readonly ItemOutcome[]): void {
    for (const { kind, deadLetter } of outcomes) {
      if (kind === 'duplicate') this.#duplicates++
      if (kind === 'dead-letter') this.#addDeadLetter(deadLetter?.reason ?? '')
    }
    this.#items += outcomes.length
    this.#decoding?.setAttribute('dlrmo.items', outcomes.length)
    this.#decoding?.end(this.#deps.now())
    this.#decoding = undefined
  }

  addTransaction(transaction: Span): void {
    this.span.addLink({ context: transaction.spanContext() })
  }

  finish(at: number): void {
    this.span.setAttributes({
      'dlrmo.items': this.#items,
      'dlrmo.duplicates': this.#duplicates,
      'dlrmo.dead_letters': this.#deadLetters,
    })
    this.span.end(at)
  }

  fail(type: string, at: number): void {
    setError(this.span, type)
    this.finish(at)
  }

  #addDeadLetter(reason: string): void {
    this.#deadLetters++
    if (this.#deadLetters > MAX_DEAD_LETTER_SPANS) return
    const span = this.#startChild('dead letter', { 'dlrmo.source': this.#source, 'dlrmo.dead_letter.reason': reason })
    setError(span, reason)
    span.end(this.#deps.now())
  }

  #startChild(operation: string, attributes: Attributes): Span {
    const options = { kind: SpanKind.INTERNAL, startTime: this.#deps.now(), attributes }
    return this.#deps.tracer.startSpan(`${operation} ${this.#source}`, options, this.#context)
  }
}
