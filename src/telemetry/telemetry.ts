/**
 * Exports traces, metrics and log lines by OTLP. This module and those that it imports load the packages of OpenTelemetry, so
 * it is imported only where something is exported.
 *
 * Nothing here makes custody or publishing wait: spans and lines are put into bounded queues, and what an endpoint does not
 * take in time is dropped and counted.
 */
import { diag, type DiagLogger, DiagLogLevel } from '@opentelemetry/api'
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from '@opentelemetry/resources'
import { LoggerProvider, type ReadableLogRecord } from '@opentelemetry/sdk-logs'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { AlwaysOnSampler, type ReadableSpan, TracerProvider } from '@opentelemetry/sdk-trace'
import type { Registry } from 'prom-client'
import { orTimeout } from '../core/abort.js'
import type { Clock } from '../core/clock.js'
import type { TelemetryObserver, TelemetrySignal } from '../core/observers.js'
import type { Tracing } from '../core/tracing.js'
import { exportAndReport, ExportQueue } from './export-queue.js'
import { toLogRecord } from './log-records.js'
import { type Export, logExport, metricExport, traceExport } from './otlp-exporter.js'
import { collectMetrics } from './prometheus-metrics.js'
import type { TelemetrySettings } from './settings.js'
import { OtlpTracing } from './tracing.js'

export interface TelemetryOptions {
  readonly settings: TelemetrySettings
  /** `instance` of the configuration. */
  readonly instance: string
  readonly version: string
}

export interface TelemetryDeps {
  readonly clock: Clock
  /** Called with what the packages of OpenTelemetry say about their variables, for example a file that can't be read. */
  readonly onWarning: (message: string) => void
}

const SERVICE_NAME = 'dlr-mo-connector'
/** The spans, and the lines, that wait for the endpoint at most: a few megabytes. */
const MAX_QUEUED_ITEMS = 4_096
/** Larger batches would take more milliseconds to encode, in which no callback is answered. */
const MAX_BATCH_ITEMS = 256
const EXPORT_DELAY_MS = 1_000
const MAX_ATTRIBUTE_CHARACTERS = 4 * 1024
/** A transaction may hold 5,000 entries. The SDK drops links beyond 128 by default. */
const MAX_LINKS = 1_000

const NO_OBSERVER: TelemetryObserver = {
  dropped: () => undefined,
  exportFailed: () => undefined,
  exported: () => undefined,
}

export class Telemetry {
  /** Undefined if traces are not exported. */
  readonly tracing: Tracing | undefined
  /** Puts a line of the log into the queue. Undefined if the log is not exported. */
  readonly exportLine: ((line: string) => void) | undefined
  readonly #options: TelemetryOptions
  readonly #deps: TelemetryDeps
  readonly #resource: Resource
  readonly #spans: ExportQueue<ReadableSpan> | undefined
  readonly #logRecords: ExportQueue<ReadableLogRecord> | undefined
  readonly #stopping = new AbortController()
  #observer: TelemetryObserver = NO_OBSERVER
  #metrics: Promise<void> = Promise.resolve()

  constructor(options: TelemetryOptions, deps: TelemetryDeps) {
    const { settings, instance, version } = options
    const { clock } = deps
    this.#options = options
    this.#deps = deps
    diag.setLogger(diagnosticsTo(deps.onWarning), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
    const ours = { 'service.name': SERVICE_NAME, 'service.version': version, 'service.instance.id': instance }
    this.#resource = defaultResource()
      .merge(resourceFromAttributes(ours))
      .merge(detectResources({ detectors: [envDetector] }))
    this.#spans = this.#createQueue('traces', traceExport(settings))
    this.#logRecords = this.#createQueue('logs', logExport(settings))
    diag.disable()

    const spans = this.#spans
    if (spans) {
      const provider = new TracerProvider({
        resource: this.#resource,
        // Whether a trace is recorded is decided before its spans are made.
        sampler: new AlwaysOnSampler(),
        spanLimits: { linkCountLimit: MAX_LINKS, attributeValueLengthLimit: MAX_ATTRIBUTE_CHARACTERS },
        spanProcessors: [
          { onStart: () => undefined, onEnd: (span) => spans.add(span), forceFlush: doNothing, shutdown: doNothing },
        ],
      })
      this.tracing = new OtlpTracing(settings.sampling, { tracer: provider.getTracer(SERVICE_NAME, version), clock })
    }
    const logRecords = this.#logRecords
    if (logRecords) {
      const provider = new LoggerProvider({
        resource: this.#resource,
        logRecordLimits: { attributeValueLengthLimit: MAX_ATTRIBUTE_CHARACTERS },
        processors: [{ onEmit: (record) => logRecords.add(record), forceFlush: doNothing, shutdown: doNothing }],
      })
      const logger = provider.getLogger(SERVICE_NAME, version)
      this.exportLine = (line) => logger.emit(toLogRecord(line))
    }
  }

  /** The signals that are exported. */
  get signals(): readonly TelemetrySignal[] {
    return Object.keys(this.#options.settings.urls) as TelemetrySignal[]
  }

  /** Reports drops and failures from now on, and exports the metrics of the registry. Called once. */
  connect(registry: Registry, observer: TelemetryObserver): void {
    this.#observer = observer
    const exportMetrics = metricExport(this.#options.settings)
    if (exportMetrics) this.#metrics = this.#exportMetrics(registry, exportMetrics)
  }

  /** Exports what waits, for as long as `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    const { clock } = this.#deps
    this.#stopping.abort()
    await Promise.all([
      this.#spans?.close(timeoutMs),
      this.#logRecords?.close(timeoutMs),
      orTimeout(this.#metrics, timeoutMs, clock),
    ])
  }

  #createQueue<T>(signal: 'traces' | 'logs', exportItems: Export<T[]> | undefined): ExportQueue<T> | undefined {
    if (exportItems === undefined) return undefined
    const observer: TelemetryObserver = {
      dropped: (...drop) => this.#observer.dropped(...drop),
      exportFailed: (...failure) => this.#observer.exportFailed(...failure),
      exported: (...success) => this.#observer.exported(...success),
    }
    const limits = { maxItems: MAX_QUEUED_ITEMS, maxBatch: MAX_BATCH_ITEMS, delayMs: EXPORT_DELAY_MS }
    return new ExportQueue({ signal, ...limits }, { export: exportItems, clock: this.#deps.clock, observer })
  }

  /** Exports all metrics after each interval, and once more at the end. */
  async #exportMetrics(registry: Registry, exportMetrics: Export<ResourceMetrics>): Promise<void> {
    const { clock } = this.#deps
    const { settings, version } = this.#options
    const scope = { name: SERVICE_NAME, version }
    const startedAt = performance.timeOrigin
    for (;;) {
      await clock.sleep(settings.metricIntervalMs, this.#stopping.signal)
      const isLast = this.#stopping.signal.aborted
      const metrics = await collectMetrics(registry, this.#resource, scope, startedAt, clock.now())
      await exportAndReport('metrics', metrics, 1, { export: exportMetrics, observer: this.#observer })
      if (isLast) return
    }
  }
}

const doNothing = async (): Promise<void> => undefined

const diagnosticsTo = (onWarning: TelemetryDeps['onWarning']): DiagLogger => ({
  error: onWarning,
  warn: onWarning,
  info: () => undefined,
  debug: () => undefined,
  verbose: () => undefined,
})
