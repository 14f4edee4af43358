/** The rule files in `monitoring/` agree with the metrics, the documents and the chart. What they do is in alerts.spec.ts. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { Metrics } from '../../src/admin/metrics.js'
import { MemoryJournal } from '../support/memory-journal.js'
import { ALERT_CASES } from './support/alert-cases.js'
import { alertRules, allRules, isAlert, MONITORING, RUNBOOK_URL, selectorsOf } from './support/rule-files.js'
import { unknownSelectors } from './support/metric-names.js'

const ROOT = join(MONITORING, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const registry = new Metrics(new MemoryJournal(), systemClock).registry

const rules = allRules()
const alerts = alertRules()
const recorded = rules.flatMap((rule) => (isAlert(rule) ? [] : [rule.record]))
const nameOf = (rule: (typeof rules)[number]): string => (isAlert(rule) ? rule.alert : rule.record)

describe.each(rules.map((rule) => [nameOf(rule), rule] as const))('The rule %s', (_name, rule) => {
  it('selects metrics and labels that the connector exports', () => {
    expect(selectorsOf(rule.expr).length).toBeGreaterThan(0)
    expect(unknownSelectors(registry, rule.expr, recorded)).toEqual([])
  })

  it('selects the scrape job everywhere, so that the chart can select its release instead', () => {
    const others = selectorsOf(rule.expr).filter(({ text }) => !text.includes('job="dlr-mo-connector"'))
    expect(others).toEqual([])
  })
})

const SENTENCE = /^(?:\{\{|[A-Z]).*\.$/s

describe.each(alerts.map((rule) => [`${rule.alert} (${rule.labels['severity']})`, rule] as const))(
  'The alert %s',
  (_name, { alert, labels, annotations }) => {
    it('has a severity, and a summary and a description in sentences', () => {
      expect(labels).toEqual({ severity: expect.stringMatching(/^(critical|warning)$/) as string })
      expect(annotations.summary).toMatch(SENTENCE)
      expect(annotations.description).toMatch(SENTENCE)
      expect(annotations.description.split(/[.:] /).length).toBeGreaterThan(1)
    })

    it('links to its entry in the runbook', () => {
      expect(annotations.runbook_url).toBe(`${RUNBOOK_URL}#${alert.toLowerCase()}`)
    })
  },
)

it('The series in the cases of the alerts are those that the connector exports', () => {
  const unknown = ALERT_CASES.flatMap(({ series }) => series.flatMap(([name]) => unknownSelectors(registry, name, [])))
  expect(unknown).toEqual([])
})

it('docs/monitoring.md lists every alert with its severities, in the order of the files', () => {
  const rows = read('docs/monitoring.md').matchAll(/^\| \[(DlrMoConnector\w+)\]\((.+?)\) \| ([a-z, ]+) \|/gm)
  const names = [...new Set(alerts.map(({ alert }) => alert))]
  const expected = names.map((name) => {
    const severities = alerts.filter(({ alert }) => alert === name).map((rule) => rule.labels['severity'])
    return [name, `runbook.md#${name.toLowerCase()}`, severities.join(', ')]
  })
  expect([...rows].map(([, name, link, severity]) => [name, link, severity])).toEqual(expected)
})

it('The chart contains the same files (npm run chart:generate)', () => {
  const filesOf = (folder: string): Map<string, string> =>
    new Map(
      readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.(yaml|json)$/.test(entry.name))
        .map((entry) => join(entry.parentPath, entry.name))
        .map((path) => [relative(join(ROOT, folder), path), readFileSync(path, 'utf8')]),
    )
  expect(existsSync(join(ROOT, 'helm/files/monitoring'))).toBe(true)
  expect(filesOf('helm/files/monitoring')).toEqual(filesOf('monitoring'))
})
