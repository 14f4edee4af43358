/** The result of a run, and a table of several results. */
import type { Tally, Verdict } from '../oracle/oracle.js'
import { formatTable } from '../table.js'
import type { Delivery } from './scenario.js'

export interface RunReport {
  readonly scenario: string
  readonly seed: number
  readonly delivery: Delivery
  readonly seconds: number
  /** How often each fault was injected. */
  readonly faults: ReadonlyMap<string, number>
  readonly verdict: Verdict
  /** Every deviation from the promises; empty if the run is sound. */
  readonly problems: readonly string[]
}

const HEAD = ['run', 'seed', 'handed out', 'owed', 'published', 'dead letters', 'gone', 'lost', 'doubled', 'wrong', 's']

export function formatReports(reports: readonly RunReport[]): string {
  const rows = reports.map((report) => [
    report.delivery === 'exactly-once' ? report.scenario : `${report.scenario} (${report.delivery})`,
    String(report.seed),
    ...figuresOf(report),
    formatFaults(report.faults),
  ])
  const figures = reports.map(figuresOf)
  const sums = HEAD.slice(2).map((_, column) => figures.reduce((sum, row) => sum + row[column]!, 0))
  return formatTable([...HEAD, 'faults'], [...rows, ['total', '', ...sums, formatFaults(sumFaults(reports))]])
}

function figuresOf({ verdict, seconds }: RunReport): number[] {
  const { handedOut, owed, published, deadLettered, gone, lost, doubled }: Tally = verdict.total
  const wrong = verdict.doubledUnderAnotherId.length + verdict.wrong.length
  return [handedOut, owed, published, deadLettered, gone, lost, doubled, wrong, seconds]
}

function sumFaults(reports: readonly RunReport[]): ReadonlyMap<string, number> {
  const sums = new Map<string, number>()
  for (const [fault, times] of reports.flatMap(({ faults }) => [...faults])) {
    sums.set(fault, (sums.get(fault) ?? 0) + times)
  }
  return sums
}

/** For example `32 kill -9, 4 broker SIGSTOP`. */
export const formatFaults = (faults: ReadonlyMap<string, number>): string =>
  [...faults]
    .filter(([, times]) => times > 0)
    .map(([fault, times]) => `${times} ${fault}`)
    .join(', ')
