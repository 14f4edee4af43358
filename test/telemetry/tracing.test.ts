/** Spans as the pipeline, the callback server and the poller report them, without a broker. */
import { AlwaysOnSampler, type ReadableSpan, TracerProvider } from '@opentelemetry/sdk-trace'
import { afterEach, describe, expect, it } from 'vitest'
import type { ItemOutcome } from '../../src/core/observers.js'
import { OtlpTracing } from '../../src/telemetry/tracing.js'
import type { Sampling } from '../../src/telemetry/settings.js'
import { callbackSource, closeNow, startCallbackServer, type TestedCallbackServer } from '../support/callback-server.js'
import { ManualClock } from '../support/manual-clock.js'
import { turnUntil } from '../support/event-loop.js'
import { deadLetter, dlr, PipelineProcess, TestEnvironment } from '../support/pipeline-process.js'
import { MINUTE, ReconcilerFixtures, SOURCE } from '../support/reconciler.js'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const SPAN_ID = 'b7ad6b7169203331'
const SAMPLED = `00-${TRACE_ID}-${SPAN_ID}-01`
const NOT_SAMPLED = `00-${TRACE_ID}-${SPAN_ID}-00`

function createTracing(sampling: Sampling, random = (): number => 0.5) {
  const spans: ReadableSpan[] = []
  const clock = new ManualClock()
  const nothing = async (): Promise<void> => undefined
  const provider = new TracerProvider({
    sampler: new AlwaysOnSampler(),
    spanProcessors: [
      { onStart: () => undefined, onEnd: (span) => spans.push(span), forceFlush: nothing, shutdown: nothing },
    ],
  })
  return { spans, clock, tracing: new OtlpTracing(sampling, { tracer: provider.getTracer('test'), clock, random }) }
}

const callback = (traceparent: string | undefined, isAuthenticated = true) => ({
  source: 'a',
  provider: 'seven',
  method: 'POST',
  traceparent,
  isAuthenticated,
  startedAt: 0,
})
const entry = { source: 'a', provider: 'seven', seq: 7, receivedAt: 0 }

describe('The decision whether a callback is recorded', () => {
  const isRecorded = (sampling: Sampling, traceparent: string | undefined, isAuthenticated = true): boolean => {
    const { spans, tracing } = createTracing(sampling)
    tracing.startCallback(callback(traceparent, isAuthenticated))?.end({ status: 200 })
    return spans.length > 0
  }

  it('follows the caller with a parent-based sampler, and the ratio without a caller', () => {
    expect(isRecorded({ ratio: 0, isParentBased: true }, SAMPLED)).toBe(true)
    expect(isRecorded({ ratio: 1, isParentBased: true }, NOT_SAMPLED)).toBe(false)
    expect(isRecorded({ ratio: 1, isParentBased: true }, undefined)).toBe(true)
    expect(isRecorded({ ratio: 0, isParentBased: true }, undefined)).toBe(false)
  })

  it('is by the ratio alone with traceidratio', () => {
    expect(isRecorded({ ratio: 0, isParentBased: false }, SAMPLED)).toBe(false)
    expect(isRecorded({ ratio: 1, isParentBased: false }, NOT_SAMPLED)).toBe(true)
  })

  it('is not influenced by a caller that has proved nothing, nor is the trace', () => {
    expect(isRecorded({ ratio: 0, isParentBased: true }, SAMPLED, false)).toBe(false)
    const { tracing, spans } = createTracing({ ratio: 1, isParentBased: true })
    tracing.startCallback(callback(SAMPLED, false))?.end({ status: 200 })
    expect(spans[0]!.spanContext().traceId).not.toBe(TRACE_ID)
  })

  it('is kept with the entry: a trace that is not recorded is passed on by its caller and is not recorded later', () => {
    const { tracing, spans } = createTracing({ ratio: 0, isParentBased: false })
    const { traceparent } = tracing.startCallback(callback(SAMPLED))!
    expect(traceparent).toBe(NOT_SAMPLED)
    const span = tracing.startEntry({ ...entry, traceparent })!
    expect(span).toMatchObject({ traceparent: NOT_SAMPLED, isRecorded: false })
    expect(tracing.startTransaction({ records: [], entrySpans: [span], unfinishedSpan: undefined })).toBeUndefined()
    expect(spans).toEqual([])
  })

  it('is not made again for an entry without a trace, or with one that can not be read', () => {
    const { tracing } = createTracing({ ratio: 1, isParentBased: true })
    expect(tracing.startEntry(entry)).toBeUndefined()
    expect(tracing.startEntry({ ...entry, traceparent: 'x' })).toBeUndefined()
  })
})

describe('The spans of an entry', () => {
  it('end with the error of its transaction, and begin anew in the next attempt', () => {
    const { tracing, spans } = createTracing({ ratio: 1, isParentBased: true })
    const span = tracing.startEntry({ ...entry, traceparent: SAMPLED })!
    const transaction = tracing.startTransaction({ records: [], entrySpans: [span], unfinishedSpan: undefined })!
    transaction.end(new Error('no broker'))
    const again = tracing.startEntry({ ...entry, traceparent: SAMPLED })!
    expect(again.traceparent).not.toBe(span.traceparent)
    expect(spans.map(({ name, attributes }) => [name, attributes['error.type']])).toEqual([
      ['send', 'UNEXPECTED'],
      ['publish a', 'UNEXPECTED'],
    ])
  })

  it('last until the last of its transactions, and are linked with each', () => {
    const { tracing, spans } = createTracing({ ratio: 1, isParentBased: true })
    const span = tracing.startEntry({ ...entry, traceparent: SAMPLED })!
    const batch = { records: [{ topic: 'dlr' }], entrySpans: [span] }
    tracing.startTransaction({ ...batch, unfinishedSpan: span })!.end()
    expect(spans.map(({ name }) => name)).toEqual(['send dlr'])
    tracing.startTransaction({ ...batch, unfinishedSpan: undefined })!.end()
    expect(spans.map(({ name }) => name)).toEqual(['send dlr', 'send dlr', 'publish a'])
    expect(spans[2]!.links).toHaveLength(2)
  })

  it('are few for a page full of dead letters, all of which are counted', () => {
    const { tracing, spans } = createTracing({ ratio: 1, isParentBased: true })
    const span = tracing.startEntry({ ...entry, traceparent: SAMPLED })!
    const deadLetter = { eventId: 'e', reason: 'test', detail: 'a test' }
    const outcome: ItemOutcome = { source: 'a', via: 'PULL', kind: 'dead-letter', deadLetter, receivedAt: 0 }
    span.startDecoding()
    span.endDecoding(Array<ItemOutcome>(1_000).fill(outcome))
    tracing.startTransaction({ records: [], entrySpans: [span], unfinishedSpan: undefined })!.end()
    expect(spans.filter(({ name }) => name === 'dead letter a')).toHaveLength(16)
    expect(spans.at(-1)!.attributes['dlrmo.dead_letters']).toBe(1_000)
  })

  it('follow the wall clock when it is set', async () => {
    const { tracing, spans, clock } = createTracing({ ratio: 1, isParentBased: true })
    const request = tracing.startCallback(callback(undefined))!
    await clock.advance(5)
    request.end({ status: 200 })
    const [seconds, nanoseconds] = spans[0]!.startTime
    expect(seconds * 1_000 + nanoseconds / 1e6).toBe(clock.now() - 5)
    expect(spans[0]!.duration).toEqual([0, 5_000_000])
  })
})

describe('The pipeline', () => {
  it('traces each entry that has a traceparent through failures, and sends its records with the span of that attempt', async () => {
    const environment = new TestEnvironment()
    const { tracing, spans } = createTracing({ ratio: 0, isParentBased: true })
    await environment.append([dlr('1'), deadLetter], 0, 'plain', { traceparent: SAMPLED })
    await environment.append([dlr('2')])
    let attempts = 0
    const running = new PipelineProcess(environment, {
      tracing,
      faultPlan: (_call, _port, method) => {
        if (method !== 'publish') return undefined
        attempts++
        return attempts === 1 ? { when: 'before', what: new Error('in doubt') } : undefined
      },
    })
    await environment.drain(running)
    const published = spans.filter(({ name }) => name === 'publish plain')
    expect(published.map(({ status }) => status.message)).toEqual(['UNEXPECTED', undefined])
    const header = `00-${TRACE_ID}-${published[1]!.spanContext().spanId}-01`
    const { records } = environment.broker
    expect(records.map(({ headers }) => headers['traceparent'])).toEqual([header, header, undefined])
    expect(published[1]!.attributes).toMatchObject({ 'dlrmo.items': 2, 'dlrmo.dead_letters': 1 })
    expect(environment.violations).toEqual([])
  })
})

describe('The reconciler', () => {
  const fixtures = new ReconcilerFixtures()
  afterEach(() => fixtures.stopAll())

  it('begins a trace with a query, which goes on with the answer that is kept', async () => {
    const { tracing, spans, clock } = createTracing({ ratio: 1, isParentBased: true })
    const simulator = await fixtures.simulator()
    simulator.setStatus('771', 'DELIVERED')
    const tested = fixtures.reconciler(simulator.url, {}, { tracing, clock })
    await tested.watch('771')
    tested.reconciler.start()
    await tested.advance(20 * MINUTE)
    expect(tested.receipts).toEqual(['771 DELIVERED QUERY'])

    const [publish] = spans.filter(({ name }) => name === `publish ${SOURCE}`)
    const request = spans.find((span) => span.spanContext().spanId === publish!.parentSpanContext?.spanId)
    expect(request).toMatchObject({ name: `GET ${SOURCE}`, attributes: { 'dlrmo.outcome': 'answer' } })
    expect(JSON.stringify(request!.attributes)).not.toContain('771')
  })
})

describe('The callback server', () => {
  let tested: TestedCallbackServer | undefined
  afterEach(() => tested && closeNow(tested))

  it('keeps the trace with the entry, and starts none for a callback that is refused', async () => {
    const { tracing, spans } = createTracing({ ratio: 0, isParentBased: true })
    tested = await startCallbackServer([callbackSource('a', { token: 'secret' })], {}, tracing)
    const headers = { traceparent: SAMPLED }
    const refused = await fetch(`${tested.origin}/callbacks/a/wrong?x=1`, { headers })
    const accepted = await fetch(`${tested.origin}/callbacks/a/secret?x=1`, { headers })
    expect([refused.status, accepted.status]).toEqual([401, 200])
    await turnUntil(() => spans.length > 0)
    expect(spans.map(({ name }) => name)).toEqual(['GET /callbacks/a'])
    const [kept] = tested.journal.entries
    expect(kept!.traceparent).toBe(`00-${TRACE_ID}-${spans[0]!.spanContext().spanId}-01`)
    expect(JSON.stringify(spans[0]!.attributes)).not.toContain('secret')
  })

  it('ends the span with 503 and the reason if the journal refuses the entry', async () => {
    const { tracing, spans } = createTracing({ ratio: 1, isParentBased: true })
    tested = await startCallbackServer(undefined, {}, tracing)
    tested.journal.refuses = 'JOURNAL_FULL'
    const answer = await fetch(`${tested.origin}/callbacks/seven-main?x=1`)
    expect(answer.status).toBe(503)
    expect(spans[0]!.attributes).toMatchObject({ 'http.response.status_code': 503, 'error.type': 'JOURNAL_FULL' })
  })
})
