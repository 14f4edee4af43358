import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { ALERT_CASES, type AlertCase } from './support/alert-cases.js'
import { promtool } from './support/prometheus.js'
import { alertRules, allRules, isAlert, MONITORING, RULE_FILES } from './support/rule-files.js'

const alerts = alertRules()
const recordings = allRules().filter((rule) => !isAlert(rule))
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dlrmo-promtool-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

it.each(RULE_FILES)('promtool finds no fault in monitoring/%s', async (name) => {
  expect(await promtool('check', 'rules', join(MONITORING, name))).toMatchObject({ isOk: true })
})

/** Runs one case by `promtool test rules`, which compares the labels and annotations of all alerts of the name. */
async function testAlert({ alert, severity, series, at, interval = '1m', fires }: AlertCase): Promise<string> {
  // Some names have a rule for each severity. Only the rule of the case is loaded.
  const rule = alerts.find((each) => each.alert === alert && each.labels['severity'] === severity)
  if (rule === undefined) throw new Error(`there is no alert ${alert} of severity ${severity}`)
  const annotations = { ...rule.annotations, summary: fires?.summary }
  const test = {
    interval,
    input_series: series.map(([name, values]) => ({ series: name, values })),
    alert_rule_test: [
      {
        alertname: alert,
        eval_time: at,
        exp_alerts: fires ? [{ exp_labels: { severity, ...fires.labels }, exp_annotations: annotations }] : [],
      },
    ],
  }
  await writeFile(join(folder, 'rules.yaml'), stringify({ groups: [{ name: 'case', rules: [...recordings, rule] }] }))
  const testFile = { rule_files: ['rules.yaml'], evaluation_interval: interval, tests: [test] }
  await writeFile(join(folder, 'test.yaml'), stringify(testFile))
  const { isOk, output } = await promtool('test', 'rules', join(folder, 'test.yaml'))
  return isOk ? '' : output
}

describe('The alert', () => {
  const cases = ALERT_CASES.map((each) => {
    const verb = each.fires ? 'fires' : 'does not fire'
    return [`${each.alert} (${each.severity}) ${verb} when ${each.when}`, each] as const
  })

  it.each(cases)('%s', async (_title, alertCase) => {
    expect(await testAlert(alertCase)).toBe('')
  })

  it.each(alerts.map(({ alert, labels }) => [alert, labels['severity']]))(
    '%s (%s) has a case in which it fires and one in which it does not',
    (alert, severity) => {
      const own = ALERT_CASES.filter((each) => each.alert === alert && each.severity === severity)
      expect(own.some(({ fires }) => fires !== undefined)).toBe(true)
      expect(own.some(({ fires }) => fires === undefined)).toBe(true)
    },
  )
})
