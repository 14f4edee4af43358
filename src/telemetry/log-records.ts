/**
 * Turns the lines of the log into log records of OTLP. A line is taken as it is written to standard output, so that what is
 * masked there is masked here as well.
 */
import { type Context, ROOT_CONTEXT, trace, TraceFlags } from '@opentelemetry/api'
import type { LoggerProvider } from '@opentelemetry/sdk-logs'

type Logger = ReturnType<LoggerProvider['getLogger']>
type LogRecord = Parameters<Logger['emit']>[0]
type LogAttributes = NonNullable<LogRecord['attributes']>

/** The severity numbers of the data model of logs (https://opentelemetry.io/docs/specs/otel/logs/data-model/). */
const SEVERITY_NUMBERS: Readonly<Record<string, number>> = {
  trace: 1,
  debug: 5,
  info: 9,
  warn: 13,
  error: 17,
  fatal: 21,
}
const MAX_BODY_CHARACTERS = 16 * 1024

/** @param line a line of the log: JSON with `level`, `time`, `event` and `msg`, and facts */
export function toLogRecord(line: string): LogRecord {
  const { level, time, msg, trace_id: traceId, span_id: spanId, event, err, ...facts } = parseLine(line)
  // The resource names the instance once for all records.
  delete facts['instance']
  const severityText = typeof level === 'string' ? level : 'info'
  const timestamp = typeof time === 'string' ? Date.parse(time) : Number.NaN
  return {
    ...(!Number.isNaN(timestamp) && { timestamp }),
    severityNumber: SEVERITY_NUMBERS[severityText] ?? 0,
    severityText,
    body: (typeof msg === 'string' ? msg : line).slice(0, MAX_BODY_CHARACTERS),
    ...(typeof event === 'string' && { eventName: event }),
    attributes: { ...(facts as LogAttributes), ...exceptionOf(err) },
    context: contextOf(traceId, spanId),
  }
}

/** A line that can't be read becomes the body of its record. */
function parseLine(line: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(line)
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {}
  } catch {
    return {}
  }
}

/** The attributes that the semantic conventions name for an error. Its other fields keep their names. */
function exceptionOf(error: unknown): LogAttributes {
  if (typeof error !== 'object' || error === null) return error === undefined ? {} : { err: JSON.stringify(error) }
  const { type, message, stack, ...others } = error as Record<string, unknown>
  return {
    'exception.type': String(type),
    'exception.message': String(message),
    ...(typeof stack === 'string' && { 'exception.stacktrace': stack }),
    ...(Object.keys(others).length > 0 && { err: others as LogAttributes }),
  }
}

const contextOf = (traceId: unknown, spanId: unknown): Context =>
  typeof traceId === 'string' && typeof spanId === 'string'
    ? trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED })
    : ROOT_CONTEXT
