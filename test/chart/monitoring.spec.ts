import { appendFile, cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import manifestOfPackage from '../../package.json' with { type: 'json' }
import { promtool } from '../monitoring/support/prometheus.js'
import {
  DASHBOARD_FILES,
  readDashboard,
  readRuleFile,
  RULE_FILES,
  RUNBOOK_URL,
  selectorsOf,
} from '../monitoring/support/rule-files.js'
import { CHART, FULLNAME, manifest, NAMESPACE, render, renderOne, scenarioFile } from './support/helm.js'
import type { Values } from './support/helm.js'
import type { Alert } from './support/objects.js'

const VERSION = manifestOfPackage.version
const everything = { files: [scenarioFile('everything')] }
const rules = async (values: Values): Promise<readonly Alert[]> => {
  const enabled = { serviceMonitor: { enabled: true }, prometheusRule: { enabled: true } }
  return (await renderOne('PrometheusRule', { values: { ...enabled, ...values } })).spec.groups[0].rules
}

describe('The ServiceMonitor', () => {
  it('scrapes every replica through the headless Service', async () => {
    const { spec } = await renderOne('ServiceMonitor', everything)
    const headless = await renderOne('Service', everything, `${FULLNAME}-headless`)
    expect(headless.metadata.labels).toMatchObject(spec.selector.matchLabels)
    const others = (await render(everything)).filter(
      ({ kind, metadata }) => kind === 'Service' && metadata.name === FULLNAME,
    )
    expect(others[0]?.metadata.labels).not.toMatchObject(spec.selector.matchLabels)
    expect(spec.endpoints[0]).toMatchObject({
      port: headless.spec.ports[0].name,
      path: '/metrics',
      interval: '30s',
    })
    expect(spec.namespaceSelector).toEqual({ matchNames: [NAMESPACE] })
  })

  it('sends the token and applies relabelings', async () => {
    const { spec, metadata } = await renderOne('ServiceMonitor', everything)
    expect(metadata.labels).toMatchObject({ release: 'prometheus' })
    expect(spec.endpoints[0].authorization).toEqual({
      type: 'Bearer',
      credentials: { name: 'sms-connector', key: 'ADMIN_TOKEN' },
    })
    expect(spec.endpoints[0].relabelings).toEqual([{ targetLabel: 'cluster', replacement: 'eu-1' }])
    expect(spec.endpoints[0].metricRelabelings).toHaveLength(1)
  })

  it('is rendered only if it is enabled', async () => {
    const kinds = (await render()).map(({ kind }) => kind)
    expect(kinds).not.toContain('ServiceMonitor')
    expect(kinds).not.toContain('PrometheusRule')
  })
})

describe('The alerts', () => {
  it('are those of monitoring/, but for the selector', async () => {
    const own = `namespace="${NAMESPACE}",service="${FULLNAME}-headless"`
    const { spec } = await renderOne('PrometheusRule', {
      values: { replicas: 1, serviceMonitor: { enabled: true }, prometheusRule: { enabled: true } },
    })
    const files = RULE_FILES.flatMap((name) => readRuleFile(name).groups)
    // A single expression of several lines becomes an alternative of one.
    const bare = (expr: string): string =>
      expr
        .replace(/\s+/g, ' ')
        .replace(/^\( (.*) \)$/, '$1')
        .trim()
    const withoutSelector = spec.groups.map(({ name, rules: found }) => ({
      name,
      rules: found.map((rule) => ({ ...rule, expr: bare(rule.expr.replaceAll(own, 'job="dlr-mo-connector"')) })),
    }))
    const inFiles = files.map(({ name, rules: found }) => ({
      name,
      rules: found.map((rule) => ({ ...rule, expr: bare(rule.expr) })),
    }))
    expect(withoutSelector).toEqual(inFiles)
  })

  it('query metrics of this release only', async () => {
    for (const { expr } of await rules({})) {
      const selectors = selectorsOf(expr)
      const own = expr.split(`{namespace="${NAMESPACE}",service="${FULLNAME}-headless"`).length - 1
      expect(own).toBe(selectors.length)
      expect(own).toBeGreaterThan(0)
    }
  })

  it('compare with the configured number of replicas', async () => {
    const missing = async (replicas: number): Promise<unknown> =>
      (await rules({ replicas })).find(({ alert }) => alert === 'DlrMoConnectorReplicasMissing')?.expr
    expect(await missing(3)).toMatch(/^\(sum\(up\{.*\}\) or vector\(0\)\) < 3$/)
    expect(await missing(0)).toBeUndefined()
  })

  const exprOf = async (name: string, prometheusRule: Values, more: Values = {}): Promise<string | undefined> => {
    const found = await rules({ ...more, prometheusRule: { enabled: true, ...prometheusRule } })
    return found.find(({ alert }) => alert === name)?.expr
  }

  it('compare with the configured thresholds', async () => {
    expect(await exprOf('DlrMoConnectorJournalFilling', {})).toMatch(/ > 70$/)
    expect(await exprOf('DlrMoConnectorJournalFilling', { journalFullPercent: 50 })).toMatch(/ > 50$/)
    expect(await exprOf('DlrMoConnectorPublishingLate', { oldestAgeSeconds: 120 })).toMatch(/ > 120$/)
    expect(await exprOf('DlrMoConnectorRestarting', { disabledAlerts: ['DlrMoConnectorRestarting'] })).toBeUndefined()
  })

  it('allow each source the silence that is configured for it', async () => {
    const silent = (prometheusRule: Values): Promise<string | undefined> =>
      exprOf('DlrMoConnectorSourceSilent', prometheusRule)
    const own = await silent({ silentAfterSeconds: 7200, silentAfterSecondsBySource: { busy: 600, rare: 0 } })
    const [busy = '', others = ''] = own?.split('\nor\n') ?? []
    expect(busy).toMatch(/,source="busy"\}\[600s\]\)\) > 600\n.*,source="busy"\} offset 600s\n\)$/)
    expect(others).toMatch(/,source!~"busy\|rare"\}\[7200s\]\)\) > 7200\n.*,source!~"busy\|rare"\} offset 7200s\n\)$/)
    expect(await silent({ silentAfterSeconds: 0, silentAfterSecondsBySource: { busy: 600 } })).not.toContain('!~')
    expect(await silent({ silentAfterSeconds: 0 })).toBeUndefined()
  })

  it('link to the configured runbook, or to that of the repository of a released chart', async () => {
    const linkOf = async (prometheusRule: Values): Promise<unknown> =>
      (await rules({ prometheusRule: { enabled: true, ...prometheusRule } }))[0]?.annotations
    const own = 'https://wiki.example.com/runbook'
    expect(await linkOf({ runbookUrl: own })).toMatchObject({ runbook_url: `${own}#dlrmoconnectordown` })
    expect(await linkOf({})).toMatchObject({ runbook_url: `${RUNBOOK_URL}#dlrmoconnectordown` })
  })

  it('link to the runbook of their version in a chart that is packaged for a release', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dlrmo-chart-'))
    try {
      await cp(CHART, folder, { recursive: true })
      await appendFile(join(folder, 'Chart.yaml'), 'sources:\n  - https://github.com/o/r\n')
      const text = await manifest({
        chart: folder,
        values: { serviceMonitor: { enabled: true }, prometheusRule: { enabled: true }, dashboards: { enabled: true } },
      })
      const links = text.match(/https:\/\/github\.com\/\S*runbook\.md/g) ?? []
      expect(links.length).toBeGreaterThan(50)
      expect([...new Set(links)]).toEqual([`https://github.com/o/r/blob/v${VERSION}/docs/runbook.md`])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('are valid for Prometheus with every kind of value', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dlrmo-rules-'))
    try {
      const { spec } = await renderOne('PrometheusRule', {
        values: {
          replicas: 3,
          serviceMonitor: { enabled: true },
          prometheusRule: { enabled: true, silentAfterSecondsBySource: { a: 600, b: 0 }, alertLabels: { team: 'sms' } },
        },
      })
      await writeFile(join(folder, 'rules.yaml'), stringify({ groups: spec.groups }))
      expect(await promtool('check', 'rules', join(folder, 'rules.yaml'))).toMatchObject({ isOk: true })
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('wait as long as a source may be idle', async () => {
    const stalled = async (idleDelay: string): Promise<unknown> => {
      const pull = { username: 'u', password: '${P}', idleDelay }
      const found = await rules({ config: { sources: { a: { provider: 'mtarget', pull } } } })
      return found.find(({ alert }) => alert === 'DlrMoConnectorNotPulling')?.expr
    }
    expect(await stalled('3m')).toContain('[15m]')
    expect(await stalled('1h')).toContain('[240m]')
    expect(await stalled('1h')).not.toContain('15m')
  })

  it('carry configured labels, and configured rules are added', async () => {
    const { spec } = await renderOne('PrometheusRule', everything)
    const found = spec.groups.flatMap((group) => group.rules).filter(({ alert }) => alert !== undefined)
    const own = found.filter(({ alert }) => alert !== 'DlrMoConnectorSlowCustody')
    expect(found.length).toBe(own.length + 1)
    for (const { labels } of own) {
      expect(labels).toEqual({ severity: expect.stringMatching(/^(critical|warning)$/) as string, team: 'messaging' })
    }
  })
})

describe('The dashboards', () => {
  it('are those of monitoring/dashboards, each in a ConfigMap that the sidecar of Grafana finds', async () => {
    const enabled = { values: { dashboards: { enabled: true, annotations: { grafana_folder: 'SMS' } } } }
    for (const file of DASHBOARD_FILES) {
      const { metadata, data } = await renderOne('ConfigMap', enabled, `${FULLNAME}-${basename(file, '.json')}`)
      expect(metadata.labels).toMatchObject({ grafana_dashboard: '1' })
      expect(metadata.annotations).toEqual({ grafana_folder: 'SMS' })
      expect(Object.keys(data)).toEqual([`dlr-mo-connector-${file}`])
      expect(JSON.parse(data[`dlr-mo-connector-${file}`] ?? '')).toEqual(readDashboard(file))
    }
  })

  it('link to the configured runbook', async () => {
    const runbookUrl = 'https://wiki.example.com/runbook'
    const text = await manifest({ values: { dashboards: { enabled: true }, prometheusRule: { runbookUrl } } })
    expect(text).toContain(`"${runbookUrl}#dlrmoconnectordown"`)
    expect(text).not.toContain(RUNBOOK_URL)
  })

  it('are rendered only if they are enabled', async () => {
    expect(await manifest()).not.toContain('grafana')
  })
})
