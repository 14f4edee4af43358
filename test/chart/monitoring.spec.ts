import { describe, expect, it } from 'vitest'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryJournal } from '../support/memory-journal.js'
import { Metrics } from '../../src/admin/metrics.js'
import { FULLNAME, NAMESPACE, render, renderOne, scenarioFile } from './support/helm.js'
import type { Values } from './support/helm.js'
import type { Alert } from './support/objects.js'

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
  it('query metrics that exist', async () => {
    const metrics = new Metrics(new MemoryJournal(), new ManualClock())
    const known = new Set(
      [...(await metrics.registry.metrics()).matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(([, name = '', type]) =>
        type === 'histogram' ? [`${name}_count`, `${name}_bucket`] : [name],
      ),
    )
    const asked = JSON.stringify(await rules({})).matchAll(/dlrmo_\w+/g)
    const names = [...new Set([...asked].map(([name]) => name))]
    expect(names.length).toBeGreaterThan(5)
    expect(names.filter((name) => !known.has(name))).toEqual([])
  })

  it('query metrics of this release only', async () => {
    for (const { expr } of await rules({})) {
      const selectors = expr.match(/(up|dlrmo_\w+)\{/g) ?? []
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

  it('compare with the configured size of the journal', async () => {
    const filling = async (values: Values): Promise<unknown> =>
      (await rules(values)).find(({ alert }) => alert === 'DlrMoConnectorJournalFilling')?.expr
    expect(await filling({})).toMatch(/ > 751619276$/)
    expect(
      await filling({
        config: { journal: { maxBytes: '100MiB' } },
        prometheusRule: { enabled: true, journalFullPercent: 50 },
      }),
    ).toMatch(/ > 52428800$/)
    expect(await filling({ config: { journal: { maxBytes: '${MAX}' } } })).toBeUndefined()
  })

  it('wait as long as a source may be idle', async () => {
    const stalled = async (idleDelay: string): Promise<unknown> => {
      const pull = { username: 'u', password: '${P}', idleDelay }
      const found = await rules({ config: { sources: { a: { provider: 'mtarget', pull } } } })
      return found.find(({ alert }) => alert === 'DlrMoConnectorNotPulling')?.expr
    }
    expect(await stalled('3m')).toContain('[15m]')
    expect(await stalled('1h')).toContain('[240m]')
  })

  it('carry configured labels, and configured rules are added', async () => {
    const { spec } = await renderOne('PrometheusRule', everything)
    const found = spec.groups[0].rules
    const own = found.filter(({ alert }) => alert !== 'DlrMoConnectorSlowCustody')
    expect(found.length).toBe(own.length + 1)
    for (const { labels } of own) {
      expect(labels).toEqual({ severity: expect.stringMatching(/^(critical|warning)$/) as string, team: 'messaging' })
    }
  })
})
