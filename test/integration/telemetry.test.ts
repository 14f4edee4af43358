/** Traces, metrics and log lines of a connector with a real broker, as an OTLP endpoint receives them. */
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import type { TopicRecord } from '../../dev/oracle/topic-reader.js'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { startTrial, type Trial, type TrialConfiguration, untilPublished } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'
import { OtlpReceiver, type ReceivedSpan } from '../support/otlp-receiver.js'
import { expectEachItemOnce } from '../support/trial-assertions.js'

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const CALLER_SPAN_ID = 'b7ad6b7169203331'
const SAMPLED = `00-${TRACE_ID}-${CALLER_SPAN_ID}-01`
const NOT_SAMPLED = `00-${TRACE_ID}-${CALLER_SPAN_ID}-00`

let trial: Trial
let receiver: OtlpReceiver
beforeEach(async () => {
  receiver = await OtlpReceiver.start()
})
afterEach(async () => {
  await trial.stop()
  await receiver.stop()
})

const begin = async (traces: object, change: (configuration: TrialConfiguration) => void = () => undefined) => {
  trial = await startTrial(stack, (configuration) => {
    const { pull } = configuration.sources['mtarget-fr']
    pull['idleDelay'] = '1h'
    configuration['telemetry'] = {
      otlp: { endpoint: receiver.endpoint, headers: { 'x-tenant': 'sms' }, traces, metrics: { interval: '1s' } },
    }
    change(configuration)
  })
}

const call = async (query: string, traceparent?: string): Promise<number> => {
  const headers = traceparent === undefined ? {} : { traceparent }
  const answer = await fetch(`${trial.callbackUrl}?${query}`, { headers })
  await answer.arrayBuffer()
  return answer.status
}

const receipt = (id: string): string => `msg_id=${id}&status=DELIVERED`
const traceparentOf = ({ headers }: TopicRecord): string | undefined => headers['traceparent']
/** The oracle knows the headers of a record that is not traced. */
const withoutTraceparent = (record: TopicRecord): TopicRecord => {
  const headers = Object.entries(record.headers).filter(([name]) => name !== 'traceparent')
  return { ...record, headers: Object.fromEntries(headers) }
}
const namesOf = (spans: readonly ReceivedSpan[]): string[] => spans.map(({ name }) => name).sort()

describe('The trace of a callback', () => {
  it('leads from the caller to the commit, and the record continues it', async () => {
    await begin({ sampleRatio: 0 })
    await trial.connector.start()
    expect(await call(receipt('1'), SAMPLED)).toBe(200)
    await untilPublished(trial)
    await receiver.untilSpans('publish seven-main')
    await receiver.untilSpans(`send ${trial.topics.dlr}`)

    const [request] = await receiver.untilSpans('GET /callbacks/seven-main')
    const [publish] = await receiver.untilSpans('publish seven-main')
    const [decode] = await receiver.untilSpans('decode seven-main')
    const [send] = await receiver.untilSpans(`send ${trial.topics.dlr}`)
    expect(request).toMatchObject({ kind: 'SERVER', traceId: TRACE_ID, parentSpanId: CALLER_SPAN_ID, error: undefined })
    expect(request!.attributes).toEqual({
      'http.request.method': 'GET',
      'http.route': '/callbacks/seven-main',
      'http.response.status_code': 200,
      'dlrmo.source': 'seven-main',
      'dlrmo.provider': 'seven',
    })
    expect(publish).toMatchObject({ kind: 'PRODUCER', traceId: TRACE_ID, parentSpanId: request!.spanId })
    expect(publish!.attributes).toMatchObject({
      'messaging.system': 'kafka',
      'dlrmo.items': 1,
      'dlrmo.dead_letters': 0,
    })
    expect(decode).toMatchObject({ kind: 'INTERNAL', traceId: TRACE_ID, parentSpanId: publish!.spanId })
    expect(send).toMatchObject({ kind: 'CLIENT', parentSpanId: '' })
    expect(send!.traceId).not.toBe(TRACE_ID)
    expect(send!.links).toEqual([{ traceId: TRACE_ID, spanId: publish!.spanId }])
    expect(publish!.links).toEqual([{ traceId: send!.traceId, spanId: send!.spanId }])
    expect(send!.attributes).toMatchObject({
      'messaging.operation.type': 'send',
      'messaging.destination.name': trial.topics.dlr,
      'messaging.batch.message_count': 1,
    })
    // The transaction lies within the span of the entry, which begins before and ends with the commit.
    expect(publish!.startMs).toBeLessThanOrEqual(send!.startMs)
    expect(publish!.endMs).toBeGreaterThanOrEqual(send!.endMs)

    const [record] = await trial.readAll()
    expect(traceparentOf(record!)).toBe(`00-${TRACE_ID}-${publish!.spanId}-01`)
    expect(receiver.resource).toMatchObject({ 'service.name': 'dlr-mo-connector', 'service.instance.id': trial.name })
    expect(receiver.requests[0]!.headers).toMatchObject({
      'x-tenant': 'sms',
      'content-type': 'application/x-protobuf',
    })
  })

  it('is passed on and not recorded if its caller does not record it, and is absent without a caller and a sample', async () => {
    await begin({ sampleRatio: 0 })
    await trial.connector.start()
    await call(receipt('1'), NOT_SAMPLED)
    await call(receipt('2'))
    await call(receipt('3'), `${SAMPLED}, ${SAMPLED}`)
    await untilPublished(trial)
    expect(await trial.connector.terminate()).toBe(0)

    const traceparents = new Map((await trial.readAll()).map((record) => [record.key, traceparentOf(record)]))
    expect(Object.fromEntries(traceparents)).toEqual({ 1: NOT_SAMPLED, 2: undefined, 3: undefined })
    expect(receiver.spans).toEqual([])
  })

  it('is begun here for a caller that has proved nothing, and no span is recorded for a callback that is refused', async () => {
    await begin({ sampleRatio: 1 }, ({ sources }) => {
      sources['open'] = { provider: 'seven', callback: { open: true } }
    })
    await trial.connector.start()
    const openUrl = trial.callbackUrl.replace(/seven-main.*/, 'open')
    const open = await fetch(`${openUrl}?${receipt('1')}`, { headers: { traceparent: SAMPLED } })
    const refused = await fetch(`${trial.callbackUrl}x?${receipt('2')}`, { headers: { traceparent: SAMPLED } })
    expect([open.status, refused.status]).toEqual([200, 401])
    await untilPublished(trial)
    expect(await trial.connector.terminate()).toBe(0)

    const [request] = await receiver.untilSpans('GET /callbacks/open')
    expect(request!.parentSpanId).toBe('')
    expect(receiver.spans.map(({ traceId }) => traceId)).not.toContain(TRACE_ID)
    expect(receiver.spans.filter(({ name }) => name.includes('seven-main'))).toEqual([])
  })

  it('continues after kill -9 between custody and publishing', async () => {
    await begin({ sampleRatio: 0 }, ({ kafka }) => {
      kafka['brokers'] = ['127.0.0.1:1']
    })
    await trial.connector.start()
    expect(await call(receipt('1'), SAMPLED)).toBe(200)
    const [request] = await receiver.untilSpans('GET /callbacks/seven-main')
    await trial.connector.kill()
    await trial.configure(({ kafka }) => {
      kafka['brokers'] = [...stack.brokers]
    })
    await trial.connector.start()
    await untilPublished(trial)

    const [publish] = await receiver.untilSpans('publish seven-main')
    expect(publish).toMatchObject({ traceId: TRACE_ID, parentSpanId: request!.spanId })
    const [record] = await trial.readAll()
    expect(traceparentOf(record!)).toBe(`00-${TRACE_ID}-${publish!.spanId}-01`)
  })
})

describe('The trace of a page', () => {
  it('begins with the request, and has a span for a dead letter; all records of the page continue it', async () => {
    await begin({ sampleRatio: 1 })
    const rows = new ProviderData(7).mtargetReceipts(20)
    const unreadable = { ...rows[0]!, MsgId: 'x', Status: '5' }
    trial.mtarget.enqueue([...rows, unreadable])
    await trial.connector.start()
    await untilPublished(trial)
    expect(await trial.connector.terminate()).toBe(0)

    const [publish] = await receiver.untilSpans('publish mtarget-fr')
    const spans = receiver.spans.filter(({ traceId }) => traceId === publish!.traceId)
    const [request] = spans.filter(({ parentSpanId }) => parentSpanId === '')
    expect(namesOf(spans)).toEqual([
      'POST mtarget-fr',
      'dead letter mtarget-fr',
      'decode mtarget-fr',
      'publish mtarget-fr',
    ])
    expect(request).toMatchObject({ name: 'POST mtarget-fr', kind: 'CLIENT' })
    expect(request!.attributes).toMatchObject({ 'http.response.status_code': 200, 'dlrmo.outcome': 'page' })
    expect(JSON.stringify(request)).not.toContain('trial-account')
    expect(publish).toMatchObject({ parentSpanId: request!.spanId })
    expect(publish!.attributes).toMatchObject({ 'dlrmo.items': 21, 'dlrmo.dead_letters': 1 })
    expect(spans.find(({ name }) => name === 'dead letter mtarget-fr')).toMatchObject({
      parentSpanId: publish!.spanId,
      error: 'missing-text',
    })
    const records = await trial.readAll()
    expect(records).toHaveLength(21)
    expect(new Set(records.map(traceparentOf))).toEqual(new Set([`00-${publish!.traceId}-${publish!.spanId}-01`]))
  })

  it('is absent, and records are as without telemetry, if no telemetry is configured', async () => {
    await begin({}, (configuration) => {
      delete configuration['telemetry']
    })
    await trial.connector.start()
    await call(receipt('1'), SAMPLED)
    await untilPublished(trial)
    const [record] = await trial.readAll()
    expect(Object.keys(record!.headers)).not.toContain('traceparent')
    expect(receiver.requests).toEqual([])
  })
})

describe('A sample of traces', () => {
  it('has about the configured share of the callbacks', async () => {
    await begin({ sampleRatio: 0.25 })
    await trial.connector.start()
    await trial.seven.send(new ProviderData(3).sevenReceipts(800).map((data) => ({ kind: 'dlr', data })))
    await untilPublished(trial)
    expect(await trial.connector.terminate()).toBe(0)
    const requests = receiver.spans.filter(({ name }) => name.includes(' /callbacks/'))
    // 200 are expected with a standard deviation of 12.
    expect(requests.length).toBeGreaterThan(130)
    expect(requests.length).toBeLessThan(270)
    const published = receiver.spans.filter(({ name }) => name === 'publish seven-main')
    expect(new Set(published.map(({ traceId }) => traceId))).toEqual(new Set(requests.map(({ traceId }) => traceId)))
    const records = (await trial.readAll()).filter((record) => traceparentOf(record) !== undefined)
    expect(records).toHaveLength(requests.length)
  })
})

describe('The metrics and the log of a connector', () => {
  it('are exported by the same names and values, with the events of the log', async () => {
    await begin({ sampleRatio: 0 })
    await trial.connector.start()
    await call(receipt('1'))
    await untilPublished(trial)
    const valueOf = (): number | undefined =>
      receiver.metrics
        .find(({ name }) => name === 'dlrmo_events_published_total')
        ?.points.find(({ attributes }) => attributes['source'] === 'seven-main' && attributes['kind'] === 'dlr')?.value
    await receiver.until(() => valueOf() === 1)
    const scraped = await (await fetch(`${trial.adminUrl}/metrics`)).text()
    const names = [...scraped.matchAll(/^# TYPE (\S+) (\w+)/gm)].map(([, name]) => name!)
    const withValues = names.filter((name) => new RegExp(`^${name}(_bucket)?[ {]`, 'm').test(scraped))
    const exported = new Set(receiver.metrics.map(({ name }) => name))
    expect(withValues.filter((name) => !exported.has(name))).toEqual([])
    await receiver.until(() => receiver.logs.some(({ eventName }) => eventName === 'publishing-started'))
    expect(receiver.logs.find(({ eventName }) => eventName === 'connector-started')).toMatchObject({
      severityText: 'info',
      severityNumber: 'SEVERITY_NUMBER_INFO',
      body: 'the connector is running',
    })
  })
})

describe('An OTLP endpoint', () => {
  const failing = async (): Promise<void> => {
    const receipts = new ProviderData(5).sevenReceipts(500)
    const outcomes = await trial.seven.send(receipts.map((data) => ({ kind: 'dlr', data })))
    expect(outcomes.every(({ status }) => status === 200)).toBe(true)
    await untilPublished(trial)
    expectEachItemOnce(trial, (await trial.readAll()).map(withoutTraceparent))
    const dropped = (): Promise<number> => trial.sum('dlrmo_telemetry_dropped_total')
    await until(async () => (await dropped()) > 0)
    const lines = (await trial.log()).filter(({ event }) => event === 'telemetry-export-failed')
    const signals = lines.map((line) => line['signal'])
    expect(signals.length).toBeGreaterThan(0)
    expect(new Set(signals).size).toBe(signals.length)
  }
  const configureShortTimeout = ({ telemetry }: TrialConfiguration): void => {
    ;(telemetry as { otlp: Record<string, unknown> }).otlp['timeout'] = '500ms'
  }

  it('that hangs delays neither custody nor publishing nor the end of the process, and is logged once a signal', async () => {
    receiver.answer = () => undefined
    await begin({ sampleRatio: 1 }, configureShortTimeout)
    await trial.connector.start()
    await failing()
    const startedAt = performance.now()
    expect(await trial.connector.terminate()).toBe(0)
    // The flush of two seconds is the longest of it.
    expect(performance.now() - startedAt).toBeLessThan(10_000)
  })

  it('that refuses connections delays neither custody nor publishing, and is logged once a signal', async () => {
    await begin({ sampleRatio: 1 }, (configuration) => {
      configureShortTimeout(configuration)
      ;(configuration['telemetry'] as { otlp: Record<string, unknown> }).otlp['endpoint'] = 'http://127.0.0.1:1'
    })
    await trial.connector.start()
    await failing()
    expect(await trial.connector.terminate()).toBe(0)
  })
})
