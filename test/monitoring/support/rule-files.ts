/** The files in `monitoring/`, and what their PromQL expressions select. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

export const MONITORING = join(import.meta.dirname, '../../../monitoring')
export const RULE_FILES = ['alerts.yaml', 'slo.yaml'] as const

export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<'summary' | 'description' | 'runbook_url', string>>
}

export interface RecordingRule {
  readonly record: string
  readonly expr: string
}

export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly (AlertRule | RecordingRule)[] }[]
}

export const readRuleFile = (name: (typeof RULE_FILES)[number]): RuleFile =>
  parse(readFileSync(join(MONITORING, name), 'utf8')) as RuleFile

export const allRules = (): (AlertRule | RecordingRule)[] =>
  RULE_FILES.flatMap((name) => readRuleFile(name).groups.flatMap(({ rules }) => rules))

export const isAlert = (rule: AlertRule | RecordingRule): rule is AlertRule => 'alert' in rule

export const alertRules = (): AlertRule[] => allRules().filter(isAlert)

/** The base address of the runbook in the files, which the installer replaces. */
export const RUNBOOK_URL = 'https://github.com/OWNER/dlr-mo-connector/blob/main/docs/runbook.md'

/** A series selector of PromQL without range and offset: `dlrmo_callbacks_total{code="401"}`. */
export interface Selector {
  readonly text: string
  readonly metric: string
  readonly labels: readonly string[]
}

/** @returns the selectors of an expression. Every metric that a file names begins with one of these prefixes. */
export function selectorsOf(expr: string): Selector[] {
  const found = expr.matchAll(/\b((?:job:)?(?:dlrmo|process|nodejs)_[\w:]+|up)\b(?!\s*[(=!])\s*(?:\{([^}]*)\})?/g)
  return [...found].map(([text, metric = '', matchers = '']) => ({
    text,
    metric,
    labels: [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label),
  }))
}

interface Target {
  readonly refId: string
  readonly expr: string
  readonly legendFormat?: string
  readonly datasource: { readonly type: string; readonly uid: string }
}

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly type: string; readonly uid: string }
  readonly targets?: readonly Target[]
  readonly links?: readonly { readonly title: string; readonly url: string }[]
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string
      readonly thresholds?: { readonly steps: readonly { readonly color: string; readonly value: number | null }[] }
    }
  }
  readonly panels?: readonly Panel[]
}

export interface Variable {
  readonly name: string
  readonly type: string
  readonly query: unknown
  readonly refresh?: number
}

export interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly schemaVersion: number
  readonly editable: boolean
  readonly templating: { readonly list: readonly Variable[] }
  readonly panels: readonly Panel[]
  readonly links: readonly { readonly title: string; readonly url: string }[]
}

export const DASHBOARD_FILES: readonly string[] = readdirSync(join(MONITORING, 'dashboards'))
  .filter((name) => name.endsWith('.json'))
  .toSorted()

export const readDashboard = (name: string): Dashboard =>
  JSON.parse(readFileSync(join(MONITORING, 'dashboards', name), 'utf8')) as Dashboard

/** The panels that show data, those in collapsed rows included. */
export const panelsOf = (dashboard: Dashboard): Panel[] =>
  dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]).filter(({ type }) => type !== 'row')
