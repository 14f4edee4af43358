/**
 * Where telemetry goes: the section `telemetry` of the configuration, completed by the environment variables that
 * OpenTelemetry defines (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
 *
 * A key of the configuration wins over its variable. OTEL_SDK_DISABLED wins over both.
 */
import type { Config } from '../config/types.js'
import type { TelemetrySignal } from '../core/observers.js'
import { rememberSecrets } from '../masking/known-secrets.js'

type Environment = Readonly<Record<string, string | undefined>>

export interface Sampling {
  /** The share of traces that begin here, and are recorded. */
  readonly ratio: number
  /** Whether a caller that sends a `traceparent` decides whether its trace is recorded. */
  readonly isParentBased: boolean
}

export interface TelemetrySettings {
  /** The addresses that each signal is sent to. A signal without an address is not exported. */
  readonly urls: Readonly<Partial<Record<TelemetrySignal, string>>>
  /** Header fields besides those of OTEL_EXPORTER_OTLP_HEADERS. */
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds; undefined if OTEL_EXPORTER_OTLP_TIMEOUT or the default of OpenTelemetry applies. */
  readonly timeoutMs: number | undefined
  readonly sampling: Sampling
  readonly metricIntervalMs: number
}

export interface ResolvedTelemetry {
  /** Undefined if nothing is exported. */
  readonly settings: TelemetrySettings | undefined
  /** Sentences about variables that are not followed. */
  readonly warnings: readonly string[]
}

const SIGNALS: readonly TelemetrySignal[] = ['traces', 'metrics', 'logs']
const DEFAULT_SAMPLE_RATIO = 0.01
const DEFAULT_METRIC_INTERVAL_MS = 60_000
const MIN_METRIC_INTERVAL_MS = 1_000

export function resolveTelemetry(config: Config['telemetry'], env: Environment): ResolvedTelemetry {
  const warnings: string[] = []
  const otlp = config?.otlp
  if (valueOf(env, 'OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return { settings: undefined, warnings }
  const urls: Partial<Record<TelemetrySignal, string>> = {}
  for (const signal of SIGNALS) {
    const url = isEnabled(signal, otlp, env) ? urlOf(signal, otlp?.endpoint, env, warnings) : undefined
    if (url !== undefined) urls[signal] = url
  }
  if (Object.keys(urls).length === 0) return { settings: undefined, warnings }
  warnOfProtocol(env, warnings)
  rememberSecrets(headerValuesOf(env))
  const settings: TelemetrySettings = {
    urls,
    headers: otlp?.headers ?? {},
    timeoutMs: otlp?.timeout,
    sampling: samplingOf(otlp?.traces, env, warnings),
    metricIntervalMs: otlp?.metrics?.interval ?? intervalOf(env, warnings),
  }
  return { settings, warnings }
}

type OtlpConfig = NonNullable<Config['telemetry']>['otlp']

/** An empty variable counts as absent, as OpenTelemetry requires. */
const valueOf = (env: Environment, name: string): string | undefined => env[name]?.trim() || undefined

/** The values of the header fields that OpenTelemetry reads from the environment, such as `authorization=Bearer%20…`. */
const headerValuesOf = (env: Environment): string[] =>
  ['', ...SIGNALS.map((signal) => `${signal.toUpperCase()}_`)]
    .flatMap((signal) => valueOf(env, `OTEL_EXPORTER_OTLP_${signal}HEADERS`)?.split(',') ?? [])
    .map((field) => field.slice(field.indexOf('=') + 1).trim())
    .flatMap((value) => [value, ...value.split(/%20|[ +]/).slice(1)])

function isEnabled(signal: TelemetrySignal, otlp: OtlpConfig | undefined, env: Environment): boolean {
  return otlp?.[signal]?.enabled ?? valueOf(env, `OTEL_${signal.toUpperCase()}_EXPORTER`) !== 'none'
}

function urlOf(
  signal: TelemetrySignal,
  endpoint: string | undefined,
  env: Environment,
  warnings: string[],
): string | undefined {
  if (endpoint !== undefined) return `${endpoint}/v1/${signal}`
  const signalVariable = `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`
  const ofSignal = valueOf(env, signalVariable)
  const ofAll = valueOf(env, 'OTEL_EXPORTER_OTLP_ENDPOINT')
  // The address for one signal is used as it is; the path of the signal is appended to the address for all of them.
  const url = ofSignal ?? (ofAll && `${ofAll.replace(/\/+$/, '')}/v1/${signal}`)
  if (url === undefined || isHttpUrl(url)) return url
  const variable = ofSignal === undefined ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : signalVariable
  warnings.push(`${variable} is not an http:// or https:// address, so ${signal} are not exported`)
  return undefined
}

const isHttpUrl = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)

function warnOfProtocol(env: Environment, warnings: string[]): void {
  const protocol = valueOf(env, 'OTEL_EXPORTER_OTLP_PROTOCOL')
  if (protocol === undefined || protocol === 'http/protobuf') return
  warnings.push(`OTEL_EXPORTER_OTLP_PROTOCOL is ${protocol}, which is not supported: http/protobuf is used`)
}

/** The samplers of OTEL_TRACES_SAMPLER that are supported. A ratio of undefined is that of OTEL_TRACES_SAMPLER_ARG. */
const SAMPLERS: ReadonlyMap<string, { ratio?: number; isParentBased: boolean }> = new Map([
  ['always_on', { ratio: 1, isParentBased: false }],
  ['always_off', { ratio: 0, isParentBased: false }],
  ['traceidratio', { isParentBased: false }],
  ['parentbased_always_on', { ratio: 1, isParentBased: true }],
  ['parentbased_always_off', { ratio: 0, isParentBased: true }],
  ['parentbased_traceidratio', { isParentBased: true }],
])

function samplingOf(traces: OtlpConfig['traces'], env: Environment, warnings: string[]): Sampling {
  const variable = valueOf(env, 'OTEL_TRACES_SAMPLER')
  const name = traces?.sampler ?? variable ?? 'parentbased_traceidratio'
  const sampler = SAMPLERS.get(name)
  if (sampler === undefined) {
    warnings.push(`OTEL_TRACES_SAMPLER is ${name}, which is not supported: parentbased_traceidratio is used`)
  }
  const { ratio, isParentBased } = sampler ?? { isParentBased: true }
  return { ratio: traces?.sampleRatio ?? ratio ?? ratioOf(env, warnings), isParentBased }
}

function ratioOf(env: Environment, warnings: string[]): number {
  const given = valueOf(env, 'OTEL_TRACES_SAMPLER_ARG')
  if (given === undefined) return DEFAULT_SAMPLE_RATIO
  const ratio = Number(given)
  if (ratio >= 0 && ratio <= 1) return ratio
  warnings.push(`OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1: ${DEFAULT_SAMPLE_RATIO} is used`)
  return DEFAULT_SAMPLE_RATIO
}

function intervalOf(env: Environment, warnings: string[]): number {
  const given = valueOf(env, 'OTEL_METRIC_EXPORT_INTERVAL')
  if (given === undefined) return DEFAULT_METRIC_INTERVAL_MS
  const milliseconds = Number(given)
  if (milliseconds >= MIN_METRIC_INTERVAL_MS) return milliseconds
  warnings.push(`OTEL_METRIC_EXPORT_INTERVAL is no number of milliseconds from 1000 on: 60000 is used`)
  return DEFAULT_METRIC_INTERVAL_MS
}
