/** Prometheus scrapes a real connector under load of both providers, and evaluates every rule and every query of the dashboards. */
import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LoadGenerator } from '../../dev/oracle/load-generator.js'
import { SevenSimulator } from '../../dev/simulators/seven.js'
import { startOwnStack } from '../../dev/stack/own-stack.js'
import { startTrial } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'
import { call } from '../support/call.js'
import { PrometheusServer, promtoolWithInput } from './support/prometheus.js'
import {
  allRules,
  DASHBOARD_FILES,
  MONITORING,
  panelsOf,
  readDashboard,
  RULE_FILES,
  selectorsOf,
} from './support/rule-files.js'

const API_KEY = 'api-key-0123456789'
const LOAD_MS = 20_000
/** Often enough that more than one callback in twenty is refused. */
const WRONG_CALL_INTERVAL_MS = 20
const SOURCES = ['mtarget-fr', 'seven-main']

/** What is rightly empty while nothing is wrong, with the reason. */
const RIGHTLY_EMPTY: Readonly<Record<string, string>> = {
  'on-call.json: Why publishing waits':
    'It shows only the cause that publishing waits for, and publishing does not wait.',
}

const cleanUps: (() => Promise<unknown> | void)[] = []
let prometheus: PrometheusServer
let metricsText: string

beforeAll(async () => {
  const stack = await startOwnStack()
  cleanUps.push(() => stack.stop())
  const simulator = await SevenSimulator.start({ apiKey: API_KEY })
  cleanUps.push(() => simulator.stop())
  const trial = await startTrial(stack, (configuration) => {
    const reconcile = { url: simulator.url, apiKey: API_KEY, after: '1s', every: '500ms', giveUpAfter: '1h' }
    Object.assign(configuration.sources['seven-main'], { reconcile: { ...reconcile, log: { every: '2s', days: 1 } } })
    configuration['sharing'] = { group: `monitoring-${process.pid}`, topic: `monitoring-${process.pid}.sources` }
  })
  cleanUps.push(() => trial.stop())
  await trial.connector.start()
  prometheus = await PrometheusServer.start(
    trial.adminUrl.replace('http://', ''),
    RULE_FILES.map((name) => join(MONITORING, name)),
  )
  cleanUps.push(() => prometheus.stop())
  const load = new LoadGenerator(trial.mtarget, () => trial.seven, { seed: 13, maxPauseMs: 200 })
  cleanUps.push(() => load.stop())
  load.start()
  cleanUps.push(callEvery(WRONG_CALL_INTERVAL_MS, trial.callbackUrl.replace(/[^/]+$/, 'wrong-token')))
  await delay(LOAD_MS)
  await until(async () => (await prometheus.query('sum(dlrmo_reconcile_requests_total) > 0')).length > 0)
  await until(async () => (await prometheus.query('sum(dlrmo_dead_letters_total) > 0')).length > 0)
  metricsText = await (await fetch(`${trial.adminUrl}/metrics`)).text()
}, 240_000)

afterAll(async () => {
  for (const action of cleanUps.toReversed()) await action()
}, 60_000)

/** Calls an address again and again, until the returned function is called. */
function callEvery(intervalMs: number, url: string): () => Promise<void> {
  const stopped = new AbortController()
  const calls = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await call(url)
      await delay(intervalMs)
    }
  }
  const running = calls()
  return () => {
    stopped.abort()
    return running
  }
}

/** As Grafana replaces them, with intervals that fit a scrape a second. */
const withVariables = (expr: string, source: string): string =>
  expr
    .replaceAll('$__rate_interval', '10s')
    .replaceAll('$__range', '60s')
    .replaceAll('$job', '.+')
    .replaceAll('$instance', '.+')
    .replaceAll('$source', source)

const queries = DASHBOARD_FILES.flatMap((file) =>
  panelsOf(readDashboard(file)).flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr }) => [`${file}: ${title}`, refId, expr] as const),
  ),
)

describe('Prometheus beside a connector under load', () => {
  it.each(queries)('answers the query of panel %s (%s) with data', async (panel, _refId, expr) => {
    const answers = await Promise.all(SOURCES.map((source) => prometheus.query(withVariables(expr, source))))
    const samples = answers.flat().filter(({ value }) => value[1] !== 'NaN')
    if (panel in RIGHTLY_EMPTY) {
      expect(samples).toEqual([])
      const selected = selectorsOf(expr).map(({ text }) => prometheus.query(withVariables(text, SOURCES[0]!)))
      expect((await Promise.all(selected)).every((found) => found.length > 0)).toBe(true)
    } else {
      expect(samples.length).toBeGreaterThan(0)
    }
  })

  it.each(
    allRules().map((rule) => ['alert' in rule ? `${rule.alert} (${rule.labels['severity']})` : rule.record, rule.expr]),
  )('has series for every selector of the rule %s', async (_name, expr) => {
    for (const { text } of selectorsOf(expr)) expect(await prometheus.query(text), text).not.toEqual([])
  })

  it('evaluates every rule without an error', async () => {
    const rules = await prometheus.rules()
    expect(rules.length).toBe(allRules().length)
    expect(rules.filter(({ health, lastError }) => health !== 'ok' || lastError)).toEqual([])
  })

  it('fires only the alert on dead letters, and prepares the one on wrong tokens', async () => {
    // Whether the objectives are met depends on the machine.
    const alerts = (await prometheus.rules()).filter(
      ({ type, name }) => type === 'alerting' && !/BudgetBurn$/.test(name),
    )
    const inState = (wanted: string): string[] => alerts.filter(({ state }) => state === wanted).map(({ name }) => name)
    expect(inState('firing')).toEqual(['DlrMoConnectorDeadLetters'])
    expect(inState('pending')).toContain('DlrMoConnectorCallbacksUnauthorized')
  })

  it('accepts the metrics by the rules of promtool', async () => {
    expect(await promtoolWithInput(metricsText, 'check', 'metrics')).toEqual({ isOk: true, output: '' })
  })
})
