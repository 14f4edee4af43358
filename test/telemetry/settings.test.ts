import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/load.js'
import type { Config } from '../../src/config/types.js'
import { resolveTelemetry } from '../../src/telemetry/settings.js'

const REQUIRED = `
kafka: {brokers: ["127.0.0.1:9092"]}
registry: {url: "http://127.0.0.1:8081"}
sources: {a: {provider: seven, callback: {open: true}}}
`

/** @param section the section `telemetry` as YAML */
function telemetryOf(section: string): Config['telemetry'] {
  const { config, problems } = parseConfig(`${REQUIRED}telemetry: ${section}`, {}, 'host')
  expect(problems).toBeUndefined()
  return config!.telemetry
}

const problemsOf = (section: string): string[] =>
  parseConfig(`${REQUIRED}telemetry: ${section}`, {}, 'host').problems?.map(
    ({ path, text }) => `${path.join('.')} ${text}`,
  ) ?? []

describe('Telemetry', () => {
  it('is off without a configuration and without variables', () => {
    expect(resolveTelemetry(undefined, {})).toEqual({ settings: undefined, warnings: [] })
    expect(resolveTelemetry(telemetryOf('{otlp: {traces: {sampleRatio: 1}}}'), {}).settings).toBeUndefined()
  })

  it('goes to the endpoint of the configuration, with the defaults', () => {
    expect(resolveTelemetry(telemetryOf('{otlp: {endpoint: "http://collector:4318/"}}'), {})).toEqual({
      settings: {
        urls: {
          traces: 'http://collector:4318/v1/traces',
          metrics: 'http://collector:4318/v1/metrics',
          logs: 'http://collector:4318/v1/logs',
        },
        headers: {},
        timeoutMs: undefined,
        sampling: { ratio: 0.01, isParentBased: true },
        metricIntervalMs: 60_000,
      },
      warnings: [],
    })
  })

  it('goes where the variables say if the configuration says nothing', () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://traces.example.com/otlp',
      OTEL_LOGS_EXPORTER: 'none',
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.5',
      OTEL_METRIC_EXPORT_INTERVAL: '5000',
    }
    expect(resolveTelemetry(undefined, env).settings).toMatchObject({
      urls: { traces: 'https://traces.example.com/otlp', metrics: 'http://collector:4318/v1/metrics' },
      sampling: { ratio: 0.5, isParentBased: false },
      metricIntervalMs: 5_000,
    })
    expect(resolveTelemetry(undefined, env).settings?.urls.logs).toBeUndefined()
  })

  it('follows the configuration where a variable says something else', () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://other:4318',
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://other:4318/logs',
      OTEL_LOGS_EXPORTER: 'none',
      OTEL_TRACES_SAMPLER: 'always_on',
      OTEL_METRIC_EXPORT_INTERVAL: '5000',
    }
    const section =
      '{otlp: {endpoint: "http://collector:4318", timeout: 2s, traces: {sampler: traceidratio, sampleRatio: 0.1}, metrics: {interval: 10s, enabled: false}, logs: {enabled: true}}}'
    expect(resolveTelemetry(telemetryOf(section), env).settings).toEqual({
      urls: { traces: 'http://collector:4318/v1/traces', logs: 'http://collector:4318/v1/logs' },
      headers: {},
      timeoutMs: 2_000,
      sampling: { ratio: 0.1, isParentBased: false },
      metricIntervalMs: 10_000,
    })
  })

  it('is off with OTEL_SDK_DISABLED, whatever the configuration says', () => {
    const config = telemetryOf('{otlp: {endpoint: "http://collector:4318"}}')
    expect(resolveTelemetry(config, { OTEL_SDK_DISABLED: 'True' }).settings).toBeUndefined()
    expect(resolveTelemetry(config, { OTEL_SDK_DISABLED: 'false' }).settings).toBeDefined()
  })

  it.each([
    ['always_on', { ratio: 1, isParentBased: false }],
    ['always_off', { ratio: 0, isParentBased: false }],
    ['parentbased_always_on', { ratio: 1, isParentBased: true }],
    ['parentbased_always_off', { ratio: 0, isParentBased: true }],
    ['parentbased_traceidratio', { ratio: 0.2, isParentBased: true }],
    ['', { ratio: 0.2, isParentBased: true }],
  ])('is sampled as OTEL_TRACES_SAMPLER=%s says', (sampler, sampling) => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318',
      OTEL_TRACES_SAMPLER: sampler,
      OTEL_TRACES_SAMPLER_ARG: '0.2',
    }
    expect(resolveTelemetry(undefined, env)).toMatchObject({ settings: { sampling }, warnings: [] })
  })

  it.each([
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote'],
    ['OTEL_TRACES_SAMPLER_ARG', 'many'],
    ['OTEL_METRIC_EXPORT_INTERVAL', 'often'],
    ['OTEL_EXPORTER_OTLP_LOGS_ENDPOINT', 'collector:4317'],
  ])('warns if it can not follow %s=%s', (name, value) => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', [name]: value }
    const { settings, warnings } = resolveTelemetry(undefined, env)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain(name)
    expect(settings?.sampling).toEqual({ ratio: 0.01, isParentBased: true })
  })
})

describe('The section telemetry', () => {
  it.each([
    ['{otlp: {endpoint: "collector:4317"}}', /^telemetry\.otlp\.endpoint found/],
    ['{otlp: {protocol: grpc}}', /^telemetry\.otlp\.protocol found "grpc"; one of http\/protobuf is expected/],
    ['{otlp: {traces: {sampleRatio: 1.5}}}', /^telemetry\.otlp\.traces\.sampleRatio .*a number from 0 to 1/],
    ['{otlp: {traces: {sampleRatio: -1}}}', /a number from 0 to 1/],
    ['{otlp: {headers: {"not a name": x}}}', /is not a valid name of an HTTP header/],
    ['{otlp: {metrics: {interval: 10ms}}}', /^telemetry\.otlp\.metrics\.interval/],
    ['{}', /^telemetry\.otlp/],
  ])('%s is refused', (section, problem) => {
    expect(problemsOf(section).join('\n')).toMatch(problem)
  })

  it('shows no value of a header in an error', () => {
    const [problem] = problemsOf('{otlp: {headers: {authorization: "secret\\nvalue"}}}')
    expect(problem).toMatch(/authorization/)
    expect(problem).not.toContain('secret')
  })
})
