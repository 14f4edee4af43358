/**
 * Sends telemetry to OTLP endpoints, as protobuf over HTTP, with the exporter of OpenTelemetry. It repeats an export after
 * errors of the network and answers that ask for it, until its timeout has passed. It also reads these variables:
 * OTEL_EXPORTER_OTLP_HEADERS, _TIMEOUT, _COMPRESSION, _CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY, and those for a
 * single signal.
 */
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from '@opentelemetry/otlp-exporter-base/node-http'
import {
  type IExporterMetricsHelper,
  type ISerializer,
  LogsExporterMetricsHelper,
  MetricsExporterMetricsHelper,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
  TraceExporterMetricsHelper,
} from '@opentelemetry/otlp-transformer'
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import type { TelemetrySignal } from '../core/observers.js'
import type { TelemetrySettings } from './settings.js'
import { quote } from '../masking/known-secrets.js'

/** What an endpoint did not accept of an export that it took otherwise. */
export interface Rejection {
  readonly items: number
  readonly message: string
}

/**
 * Resolves when the endpoint has taken the items, with what it has rejected of them.
 * @throws Error if it has taken none
 */
export type Export<T> = (items: T) => Promise<Rejection | undefined>

export type ExporterSettings = Pick<TelemetrySettings, 'urls' | 'headers' | 'timeoutMs'>

/** @returns undefined if the signal is not exported */
export const traceExport = (settings: ExporterSettings): Export<ReadableSpan[]> | undefined =>
  createExport(settings, 'traces', ProtobufTraceSerializer, TraceExporterMetricsHelper)

/** @returns undefined if the signal is not exported */
export const metricExport = (settings: ExporterSettings): Export<ResourceMetrics> | undefined =>
  createExport(settings, 'metrics', ProtobufMetricsSerializer, MetricsExporterMetricsHelper)

/** @returns undefined if the signal is not exported */
export const logExport = (settings: ExporterSettings): Export<ReadableLogRecord[]> | undefined =>
  createExport(settings, 'logs', ProtobufLogsSerializer, LogsExporterMetricsHelper)

const PROTOBUF = { 'Content-Type': 'application/x-protobuf' }
/** Each queue sends one export at a time. */
const MAX_CONCURRENT_EXPORTS = 2

/** The fields of the three kinds of response (`ExportTracePartialSuccess` and so on). */
interface ExportResponse {
  readonly partialSuccess?: {
    readonly rejectedSpans?: number | string | null
    readonly rejectedDataPoints?: number | string | null
    readonly rejectedLogRecords?: number | string | null
    readonly errorMessage?: string
  }
}

function createExport<T, R extends object>(
  { urls, headers, timeoutMs }: ExporterSettings,
  signal: TelemetrySignal,
  serializer: ISerializer<T, R>,
  metricsHelper: IExporterMetricsHelper<T>,
): Export<T> | undefined {
  const url = urls[signal]
  if (url === undefined) return undefined
  let rejection: Rejection | undefined
  const noticing: ISerializer<T, R> = {
    serializeRequest: (items) => serializer.serializeRequest(items),
    deserializeResponse: (bytes) => {
      const response = serializer.deserializeResponse(bytes)
      rejection = rejectionOf(response)
      return response
    },
  }
  const options = convertLegacyHttpOptions(
    {
      url,
      headers: { ...headers },
      concurrencyLimit: MAX_CONCURRENT_EXPORTS,
      ...(timeoutMs !== undefined && { timeoutMillis: timeoutMs }),
    },
    signal.toUpperCase(),
    `v1/${signal}`,
    PROTOBUF,
  )
  const delegate = createOtlpHttpExportDelegate(options, noticing, `otlp_http_${signal}`, metricsHelper, undefined)
  return (items) =>
    new Promise((resolve, reject) => {
      rejection = undefined
      delegate.export(items, ({ error }) => {
        if (error === undefined) resolve(rejection)
        else reject(withStatus(error))
      })
    })
}

const rejectionOf = ({ partialSuccess }: ExportResponse): Rejection | undefined => {
  const { rejectedSpans, rejectedDataPoints, rejectedLogRecords, errorMessage = '' } = partialSuccess ?? {}
  const items = Number(rejectedSpans ?? rejectedDataPoints ?? rejectedLogRecords ?? 0)
  return items > 0 ? { items, message: quote(errorMessage) } : undefined
}

/** The error for an answer that is not 2xx has the status in its `code`, and the reason phrase as its message. */
const withStatus = (error: Error): Error => {
  const { code } = error as Error & { code?: unknown }
  return typeof code === 'number' ? new Error(`HTTP ${code} ${quote(error.message)}`.trim(), { cause: error }) : error
}
