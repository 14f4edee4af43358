/** Metrics, log lines and exports as an OTLP endpoint receives them. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLog } from '../../src/admin/log.js'
import { LogOutput } from '../../src/admin/log-output.js'
import { systemClock } from '../../src/core/clock.js'
import type { TelemetryObserver } from '../../src/core/observers.js'
import type { TelemetrySettings } from '../../src/telemetry/settings.js'
import { Telemetry } from '../../src/telemetry/telemetry.js'
import { OtlpReceiver, partialSuccess } from '../support/otlp-receiver.js'

const FLUSH_MS = 5_000
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'

let receiver: OtlpReceiver
beforeEach(async () => {
  receiver = await OtlpReceiver.start()
})
afterEach(() => receiver.stop())

function createTelemetry(settings: Partial<TelemetrySettings> = {}) {
  const reports: string[] = []
  const observer: TelemetryObserver = {
    dropped: (signal, reason, items) => reports.push(`${items} ${signal} dropped: ${reason}`),
    exportFailed: (signal, error) => reports.push(`${signal} failed: ${(error as Error).message}`),
    exported: (signal) => reports.push(`${signal} exported`),
  }
  const { endpoint } = receiver
  const urls = { traces: `${endpoint}/v1/traces`, metrics: `${endpoint}/v1/metrics`, logs: `${endpoint}/v1/logs` }
  const sampling = { ratio: 1, isParentBased: true }
  const telemetry = new Telemetry(
    {
      settings: { urls, headers: {}, timeoutMs: 1_000, sampling, metricIntervalMs: 60_000, ...settings },
      instance: 'connector-0',
      version: '1.2.3',
    },
    { clock: systemClock, onWarning: (message) => reports.push(message) },
  )
  return { telemetry, observer, reports }
}

const record = (telemetry: Telemetry): void => {
  const callback = { source: 'a', provider: 'seven', method: 'GET', traceparent: undefined, isAuthenticated: true }
  telemetry.tracing!.startCallback({ ...callback, startedAt: performance.now() })!.end({ status: 200 })
}

describe('Metrics', () => {
  it('are exported by the same names, labels, values and buckets', async () => {
    const registry = new Registry()
    const registers = [registry]
    new Counter({ name: 'c_total', help: 'h', labelNames: ['source'], registers }).inc({ source: 'a' }, 3)
    new Gauge({ name: 'g', help: 'h', registers }).set(-1.5)
    new Gauge({ name: 'unreadable', help: 'h', registers }).set(Number.NaN)
    const histogram = new Histogram({
      name: 'h_seconds',
      help: 'h',
      labelNames: ['source'],
      buckets: [0.1, 1],
      registers,
    })
    for (const value of [0.05, 0.05, 0.5, 7]) histogram.observe({ source: 'a' }, value)
    histogram.observe({ source: 'b' }, 0.5)
    const { telemetry, observer, reports } = createTelemetry()
    telemetry.connect(registry, observer)
    await telemetry.close(FLUSH_MS)

    expect(reports).toEqual(['metrics exported'])
    const point = { value: undefined, explicitBounds: [0.1, 1] }
    expect(receiver.metrics).toMatchObject([
      { name: 'c_total', kind: 'sum', isMonotonic: true, points: [{ attributes: { source: 'a' }, value: 3 }] },
      { name: 'g', kind: 'gauge', points: [{ attributes: {}, value: -1.5 }] },
      {
        name: 'h_seconds',
        kind: 'histogram',
        points: [
          { ...point, attributes: { source: 'a' }, count: 4, sum: 7.6, bucketCounts: [2, 1, 1] },
          { ...point, attributes: { source: 'b' }, count: 1, sum: 0.5, bucketCounts: [0, 1, 0] },
        ],
      },
    ])
  })
})

describe('Log lines', () => {
  it('are exported masked as on standard output, with severity, event, exception and trace', async () => {
    const { telemetry } = createTelemetry()
    const written: string[] = []
    const output = new LogOutput({
      writeNow: (bytes) => {
        written.push(Buffer.from(bytes).toString())
        return bytes.byteLength
      },
      block: () => undefined,
      clock: systemClock,
    })
    output.onLine = telemetry.exportLine!
    const log = createLog({ level: 'debug', instance: 'connector-0', personalData: 'masked' }, output)
    const facts = { trace_id: TRACE_ID, span_id: 'b7ad6b7169203331', token: 'secret', detail: 'from +33612345678' }
    log.debug(facts, 'an item was decoded')
    log.error({ event: 'page-lost', err: new TypeError('wrong'), attempts: 3 }, 'a page is lost')
    await telemetry.close(FLUSH_MS)

    expect(receiver.logs).toMatchObject([
      {
        severityNumber: 'SEVERITY_NUMBER_DEBUG',
        severityText: 'debug',
        body: 'an item was decoded',
        traceId: TRACE_ID,
        spanId: 'b7ad6b7169203331',
        attributes: { token: '(not shown)', detail: 'from +336*****678' },
      },
      {
        severityNumber: 'SEVERITY_NUMBER_ERROR',
        eventName: 'page-lost',
        body: 'a page is lost',
        traceId: '',
        attributes: { attempts: 3, 'exception.type': 'TypeError', 'exception.message': 'wrong' },
      },
    ])
    expect(written).toHaveLength(2)
    expect(written.join('')).toContain('from +336*****678')
  })

  it('that hold no JSON object are exported as they are', async () => {
    const { telemetry } = createTelemetry()
    const lines = ['not JSON\n', 'null', '[1]', '5']
    lines.forEach((line) => telemetry.exportLine!(line))
    await telemetry.close(FLUSH_MS)
    expect(receiver.logs.map(({ body }) => body)).toEqual(lines)
  })
})

describe('An export', () => {
  it('names service, version and instance, and carries the configured headers', async () => {
    const { telemetry } = createTelemetry({ headers: { authorization: 'Bearer x' } })
    record(telemetry)
    await telemetry.close(FLUSH_MS)
    expect(receiver.spans).toHaveLength(1)
    expect(receiver.requests[0]).toMatchObject({ path: '/v1/traces', headers: { authorization: 'Bearer x' } })
    expect(receiver.resource).toMatchObject({
      'service.name': 'dlr-mo-connector',
      'service.version': '1.2.3',
      'service.instance.id': 'connector-0',
      'telemetry.sdk.language': 'nodejs',
    })
  })

  it('that is refused is dropped and reported with the status', async () => {
    receiver.answer = () => ({ status: 401 })
    const { telemetry, observer, reports } = createTelemetry({ urls: { traces: `${receiver.endpoint}/v1/traces` } })
    telemetry.connect(new Registry(), observer)
    record(telemetry)
    await telemetry.close(FLUSH_MS)
    expect(reports).toEqual(['1 traces dropped: export-failed', 'traces failed: HTTP 401 Unauthorized'])
  })

  it('is repeated while the endpoint is unavailable, within the timeout', async () => {
    receiver.answer = () => (receiver.requests.length === 1 ? { status: 503 } : { status: 200 })
    const { telemetry, observer, reports } = createTelemetry({
      urls: { traces: `${receiver.endpoint}/v1/traces` },
      timeoutMs: 5_000,
    })
    telemetry.connect(new Registry(), observer)
    record(telemetry)
    await telemetry.close(FLUSH_MS)
    expect(reports).toEqual(['traces exported'])
    expect(receiver.requests).toHaveLength(2)
  })

  it('of which the endpoint rejects a part is counted by that part', async () => {
    receiver.answer = () => ({ status: 200, body: partialSuccess(1, 'too old') })
    const { telemetry, observer, reports } = createTelemetry({ urls: { traces: `${receiver.endpoint}/v1/traces` } })
    telemetry.connect(new Registry(), observer)
    record(telemetry)
    record(telemetry)
    await telemetry.close(FLUSH_MS)
    expect(reports).toEqual([
      '1 traces dropped: rejected',
      'traces failed: the endpoint has rejected a part of an export: too old',
    ])
  })

  it('that hangs does not hold up the end of the process', async () => {
    receiver.answer = () => undefined
    const { telemetry } = createTelemetry({ timeoutMs: 60_000 })
    record(telemetry)
    const startedAt = performance.now()
    await telemetry.close(200)
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })

  it('of a signal without an address does not take place', async () => {
    const { telemetry } = createTelemetry({ urls: { metrics: `${receiver.endpoint}/v1/metrics` } })
    expect([telemetry.tracing, telemetry.exportLine, telemetry.signals]).toEqual([undefined, undefined, ['metrics']])
    await telemetry.close(0)
  })
})

describe('Without telemetry', () => {
  const SRC = join(import.meta.dirname, '../../src')

  /** The modules outside `src/` that a file loads when it is imported: neither types nor what `import()` loads later. */
  function packagesLoadedBy(file: string, seen = new Set<string>()): Set<string> {
    const packages = new Set<string>()
    if (seen.has(file)) return packages
    seen.add(file)
    const text = readFileSync(file, 'utf8').replaceAll(/import type [^;]*? from '[^']+'/g, '')
    for (const [, path = ''] of text.matchAll(/(?:from|import) '([^']+)'/g)) {
      if (!path.startsWith('.')) packages.add(path)
      else
        for (const each of packagesLoadedBy(join(dirname(file), path.replace(/\.js$/, '.ts')), seen)) packages.add(each)
    }
    return packages
  }

  it('no package of OpenTelemetry is loaded by the connector itself', () => {
    const packages = [...packagesLoadedBy(join(SRC, 'commands/run.ts'))]
    expect(packages).toContain('pino')
    expect(packages.filter((name) => name.startsWith('@opentelemetry/'))).toEqual([])
    const telemetry = [...packagesLoadedBy(join(SRC, 'telemetry/telemetry.ts'))]
    expect(telemetry).toContain('@opentelemetry/sdk-trace')
  })
})
