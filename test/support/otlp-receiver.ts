/** An OTLP endpoint on a free port of 127.0.0.1, which decodes the exports by the official definitions of the protocol. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import protobuf from 'protobufjs'

const DEFINITIONS = fileURLToPath(new URL('../fixtures/otlp/', import.meta.url))

export type AttributeValue = string | number | boolean | AttributeValue[] | Attributes | null
export interface Attributes {
  [name: string]: AttributeValue
}

export interface ReceivedSpan {
  readonly name: string
  readonly kind: string
  readonly traceId: string
  readonly spanId: string
  /** Empty for the first span of a trace. */
  readonly parentSpanId: string
  readonly startMs: number
  readonly endMs: number
  readonly attributes: Attributes
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  /** The message of a span with the status ERROR. */
  readonly error: string | undefined
}

export interface ReceivedLogRecord {
  /** The name of the number in the definitions, such as SEVERITY_NUMBER_INFO. */
  readonly severityNumber: string
  readonly severityText: string
  readonly eventName: string
  readonly body: AttributeValue
  readonly attributes: Attributes
  readonly traceId: string
  readonly spanId: string
}

export interface ReceivedMetric {
  readonly name: string
  readonly kind: 'gauge' | 'sum' | 'histogram'
  readonly isMonotonic: boolean
  readonly points: readonly {
    readonly attributes: Attributes
    readonly value: number | undefined
    readonly count: number
    readonly sum: number | undefined
    readonly bucketCounts: readonly number[]
    readonly explicitBounds: readonly number[]
  }[]
}

type Message = Record<string, unknown>

const root = new protobuf.Root()
root.resolvePath = (_origin, target) => DEFINITIONS + target
root.loadSync([
  'opentelemetry/proto/collector/trace/v1/trace_service.proto',
  'opentelemetry/proto/collector/metrics/v1/metrics_service.proto',
  'opentelemetry/proto/collector/logs/v1/logs_service.proto',
])

const decodeAs = (service: string, name: string, bytes: Buffer): Message => {
  const type = root.lookupType(`opentelemetry.proto.collector.${service}.v1.${name}`)
  return type.toObject(type.decode(bytes), { longs: Number, enums: String, bytes: String, defaults: true })
}

const valueOf = (value: Message | null | undefined): AttributeValue => {
  if (value === null || value === undefined) return null
  const [kind] = Object.keys(value).filter((key) => key !== 'stringValueStrindex')
  const found = kind === undefined ? null : value[kind]
  if (kind === 'kvlistValue') return attributesOf((found as { values: Message[] }).values)
  if (kind === 'arrayValue') return (found as { values: Message[] }).values.map(valueOf)
  return found as AttributeValue
}

const attributesOf = (pairs: unknown): Attributes =>
  Object.fromEntries((pairs as { key: string; value: Message }[]).map(({ key, value }) => [key, valueOf(value)]))

const hexOf = (base64: unknown): string => Buffer.from(base64 as string, 'base64').toString('hex')
const listOf = (message: Message, key: string): Message[] => message[key] as Message[]

export interface ReceiverAnswer {
  readonly status: number
  readonly body?: Buffer
}

export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = []
  readonly logs: ReceivedLogRecord[] = []
  /** The last export of all metrics. */
  metrics: ReceivedMetric[] = []
  readonly requests: { readonly path: string; readonly headers: IncomingHttpHeaders }[] = []
  resource: Attributes = {}
  /** Returns the answer to a request, or undefined to let it hang. */
  answer: (path: string) => ReceiverAnswer | undefined = () => ({ status: 200 })
  readonly #server: Server
  readonly #received = new Set<() => void>()

  private constructor() {
    this.#server = createServer((req, res) => {
      const chunks: Buffer[] = []
      req.on('data', (chunk: Buffer) => chunks.push(chunk))
      req.on('end', () => {
        const path = req.url ?? ''
        this.requests.push({ path, headers: req.headers })
        const answer = this.answer(path)
        if (answer?.status === 200) {
          const body = Buffer.concat(chunks)
          this.#take(path, req.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body)
        }
        if (answer) res.writeHead(answer.status, { 'content-type': 'application/x-protobuf' }).end(answer.body)
        for (const notify of this.#received) notify()
      })
    })
  }

  static async start(port = 0): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver()
    await new Promise<void>((resolve) => receiver.#server.listen(port, '127.0.0.1', resolve))
    return receiver
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Resolves once the condition holds. It is checked after each request. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return
        this.#received.delete(check)
        resolve()
      }
      this.#received.add(check)
      check()
    })
  }

  /** Resolves with the spans of this name once there are so many. */
  async untilSpans(name: string, count = 1): Promise<ReceivedSpan[]> {
    const found = (): ReceivedSpan[] => this.spans.filter((span) => span.name === name)
    await this.until(() => found().length >= count)
    return found()
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }

  #take(path: string, body: Buffer): void {
    if (path.endsWith('/v1/traces')) this.#takeSpans(decodeAs('trace', 'ExportTraceServiceRequest', body))
    if (path.endsWith('/v1/logs')) this.#takeLogs(decodeAs('logs', 'ExportLogsServiceRequest', body))
    if (path.endsWith('/v1/metrics')) this.#takeMetrics(decodeAs('metrics', 'ExportMetricsServiceRequest', body))
  }

  #takeSpans(request: Message): void {
    for (const ofResource of listOf(request, 'resourceSpans')) {
      this.resource = attributesOf((ofResource['resource'] as Message)['attributes'])
      for (const span of listOf(ofResource, 'scopeSpans').flatMap((scope) => listOf(scope, 'spans'))) {
        const status = span['status'] as { code?: string; message?: string } | null
        this.spans.push({
          name: span['name'] as string,
          kind: (span['kind'] as string).replace('SPAN_KIND_', ''),
          traceId: hexOf(span['traceId']),
          spanId: hexOf(span['spanId']),
          parentSpanId: hexOf(span['parentSpanId']),
          startMs: Number(span['startTimeUnixNano']) / 1e6,
          endMs: Number(span['endTimeUnixNano']) / 1e6,
          attributes: attributesOf(span['attributes']),
          links: listOf(span, 'links').map((link) => ({
            traceId: hexOf(link['traceId']),
            spanId: hexOf(link['spanId']),
          })),
          error: status?.code === 'STATUS_CODE_ERROR' ? status.message : undefined,
        })
      }
    }
  }

  #takeLogs(request: Message): void {
    for (const ofResource of listOf(request, 'resourceLogs')) {
      for (const record of listOf(ofResource, 'scopeLogs').flatMap((scope) => listOf(scope, 'logRecords'))) {
        this.logs.push({
          severityNumber: record['severityNumber'] as string,
          severityText: record['severityText'] as string,
          eventName: record['eventName'] as string,
          body: valueOf(record['body'] as Message),
          attributes: attributesOf(record['attributes']),
          traceId: hexOf(record['traceId']),
          spanId: hexOf(record['spanId']),
        })
      }
    }
  }

  #takeMetrics(request: Message): void {
    this.metrics = listOf(request, 'resourceMetrics')
      .flatMap((ofResource) => listOf(ofResource, 'scopeMetrics'))
      .flatMap((scope) => listOf(scope, 'metrics'))
      .map((metric) => {
        const kind = (['gauge', 'sum', 'histogram'] as const).find((each) => metric[each])!
        const data = metric[kind] as Message
        return {
          name: metric['name'] as string,
          kind,
          isMonotonic: data['isMonotonic'] === true,
          points: listOf(data, 'dataPoints').map((point) => ({
            attributes: attributesOf(point['attributes']),
            value: point['asDouble'] as number | undefined,
            count: Number(point['count'] ?? 0),
            sum: point['sum'] as number | undefined,
            bucketCounts: (point['bucketCounts'] as number[] | undefined)?.map(Number) ?? [],
            explicitBounds: (point['explicitBounds'] as number[] | undefined) ?? [],
          })),
        }
      })
  }
}

/** The answer of an endpoint that has taken an export and rejected a part of it. */
export const partialSuccess = (rejectedSpans: number, errorMessage: string): Buffer => {
  const type = root.lookupType('opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse')
  return Buffer.from(type.encode(type.fromObject({ partialSuccess: { rejectedSpans, errorMessage } })).finish())
}
