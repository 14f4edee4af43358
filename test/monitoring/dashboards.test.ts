/** The Grafana dashboards in `monitoring/dashboards`. That their queries return data is tested in live.spec.ts. */
import { describe, expect, it } from 'vitest'
import { Metrics } from '../../src/admin/metrics.js'
import { systemClock } from '../../src/core/clock.js'
import { MemoryJournal } from '../support/memory-journal.js'
import { unknownSelectors } from './support/metric-names.js'
import {
  alertRules,
  allRules,
  DASHBOARD_FILES,
  isAlert,
  panelsOf,
  readDashboard,
  RUNBOOK_URL,
  selectorsOf,
} from './support/rule-files.js'

const registry = new Metrics(new MemoryJournal(), systemClock).registry
const recorded = allRules().flatMap((rule) => (isAlert(rule) ? [] : [rule.record]))
const anchors = alertRules().map(({ alert }) => `${RUNBOOK_URL}#${alert.toLowerCase()}`)
/** The variables that Grafana itself defines, as far as the dashboards use them. */
const BUILT_IN = ['__rate_interval', '__range', '__interval', '__all']
const SCHEMA_VERSION = 42
const COLUMNS = 24

it('There are dashboards for on-call and for a source', () => {
  expect(DASHBOARD_FILES).toEqual(['on-call.json', 'source.json'])
})

it('The dashboards have ids of their own', () => {
  const ids = DASHBOARD_FILES.map((file) => readDashboard(file).uid)
  expect(new Set(ids).size).toBe(ids.length)
  // Grafana refuses longer ids, and other characters.
  for (const id of ids) expect(id).toMatch(/^[\w-]{1,40}$/)
})

describe.each(DASHBOARD_FILES)('The dashboard %s', (file) => {
  const dashboard = readDashboard(file)
  const panels = panelsOf(dashboard)
  const variables = dashboard.templating.list.map(({ name }) => name)

  it('has the schema of Grafana 12, a title, a description, and a link to the runbook', () => {
    expect(dashboard).toMatchObject({ schemaVersion: SCHEMA_VERSION, editable: false })
    expect(dashboard.title).not.toBe('')
    expect(dashboard.description).toMatch(/^[A-Z].*\.$/)
    expect(dashboard.links.map(({ url }) => url)).toContain(RUNBOOK_URL)
  })

  it('has variables for the data source, the job and the instance, which are reloaded with the time range', () => {
    expect(variables).toEqual(expect.arrayContaining(['datasource', 'job', 'instance']))
    expect(variables.includes('source')).toBe(file === 'source.json')
    for (const { type, refresh } of dashboard.templating.list) expect(refresh).toBe(type === 'datasource' ? 1 : 2)
  })

  it('uses no variable that is not defined', () => {
    const used = [...JSON.stringify(dashboard).matchAll(/\$\{?([a-z_]\w*)/g)].map(([, name = '']) => name)
    expect([...new Set(used)].filter((name) => ![...variables, ...BUILT_IN].includes(name))).toEqual([])
    expect(variables.filter((name) => !used.includes(name))).toEqual([])
  })

  it('numbers its panels once and places them side by side', () => {
    const ids = dashboard.panels.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    const taken = new Set<string>()
    for (const { gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(COLUMNS)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x},${y}`)).toBe(false)
          taken.add(`${x},${y}`)
        }
      }
    }
  })

  it.each(panels.map((panel) => [panel.title, panel] as const))(
    'explains and queries its panel "%s"',
    (_title, panel) => {
      expect(panel.description).toMatch(/^[A-Z].*\.$/s)
      expect(panel.fieldConfig?.defaults.unit).toEqual(expect.any(String))
      expect(panel.fieldConfig?.defaults.thresholds?.steps[0]?.value).toBeNull()
      for (const { url } of panel.links ?? []) expect(anchors).toContain(url)
      const targets = panel.targets ?? []
      expect(targets.length).toBeGreaterThan(0)
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length)
      for (const { datasource } of [panel, ...targets]) {
        expect(datasource).toEqual({ type: 'prometheus', uid: '${datasource}' })
      }
      for (const { expr } of targets) {
        expect(unknownSelectors(registry, expr, recorded)).toEqual([])
        for (const { text, metric } of selectorsOf(expr)) {
          expect(text).toContain('job=~"$job"')
          // What the recording rules add up over all replicas has no instance.
          if (!metric.startsWith('job:')) expect(text).toContain('instance=~"$instance"')
          if (file === 'source.json') expect(text).toContain('source=~"$source"')
          if (metric.endsWith('_total')) expect(expr).toMatch(/\b(rate|increase)\(/)
        }
      }
    },
  )
})
