/** The section `telemetry`: export by the OpenTelemetry protocol (OTLP). */
import * as z from 'zod'
import { isSection, section } from './section.js'
import { baseUrl, boolean, duration, oneOf, ratio, text } from './values.js'

/** A field name of HTTP (RFC 9110, section 5.1). */
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/

const headers = () =>
  z.record(z.string(), text(), { error: 'a section with a value for each header' }).superRefine(
    (given, context) => {
      for (const name of Object.keys(given)) {
        if (!HEADER_NAME.test(name)) {
          context.addIssue({ code: 'custom', message: 'is not a valid name of an HTTP header', path: [name] })
        }
      }
    },
    { when: isSection },
  )

const enabled = (what: string, variable: string) =>
  boolean()
    .exactOptional()
    .describe(`Whether ${what} are exported. Default: true, unless the variable ${variable} is none.`)

export const telemetry = () =>
  section({
    otlp: section({
      endpoint: baseUrl('the http:// or https:// address of an OTLP endpoint')
        .exactOptional()
        .describe(
          'Address of the collector, such as http://otel-collector:4318. The paths v1/traces, v1/metrics and v1/logs are appended. Default: OTEL_EXPORTER_OTLP_ENDPOINT; without both, nothing is exported.',
        ),
      headers: headers()
        .exactOptional()
        .describe(
          'Header fields of every export, for example for authentication. They are added to those of OTEL_EXPORTER_OTLP_HEADERS.',
        ),
      protocol: oneOf('http/protobuf').prefault('http/protobuf').describe('How telemetry is sent.'),
      timeout: duration({ min: '100ms', max: '1m' })
        .exactOptional()
        .describe(
          'How long an export may take before what it holds is dropped. Default: OTEL_EXPORTER_OTLP_TIMEOUT, else 10s.',
        ),
      traces: section({
        enabled: enabled('traces', 'OTEL_TRACES_EXPORTER'),
        sampler: oneOf('parentbased_traceidratio', 'traceidratio')
          .exactOptional()
          .describe(
            'Who decides whether a callback with a traceparent is recorded: parentbased_traceidratio follows its caller, traceidratio takes sampleRatio of them. Default: OTEL_TRACES_SAMPLER, else parentbased_traceidratio.',
          ),
        sampleRatio: ratio()
          .exactOptional()
          .describe(
            'Share of the callbacks, pages and queries that are recorded. Default: OTEL_TRACES_SAMPLER_ARG, else 0.01.',
          ),
      })
        .exactOptional()
        .describe('Traces from the request that brought an entry to the commit of its records.'),
      metrics: section({
        enabled: enabled('metrics', 'OTEL_METRICS_EXPORTER'),
        interval: duration({ min: '1s' })
          .exactOptional()
          .describe('Time between two exports. Default: OTEL_METRIC_EXPORT_INTERVAL, else 60s.'),
      })
        .exactOptional()
        .describe('The metrics of /metrics, by the same names.'),
      logs: section({ enabled: enabled('log lines', 'OTEL_LOGS_EXPORTER') })
        .exactOptional()
        .describe('The lines of the log, masked as on standard output.'),
    }).describe('The OTLP endpoint.'),
  })
