/** Runs as a table for people: what was done, what was owed, what came out. */
import { number } from '../demo/output.js'
import type { Delivery } from './scenario-run.js'
import type { Verdict } from '../oracle/oracle.js'

export interface Report {
  readonly scenario: string
  readonly seed: number
  readonly delivery: Delivery
  readonly seconds: number
  readonly counts: ReadonlyMap<string, number>
  readonly verdict: Verdict
  /** Everything that must not be; empty in a good run. */
  readonly complaints: readonly string[]
}

const HEAD = [
  'run',
  'seed',
  'handed out',
  'owed',
  'published',
  'dead letters',
  'gone',
  'lost',
  'doubled',
  'wrong',
  's',
  'faults',
]
/** Columns that hold words. */
const WORDS = new Set([0, HEAD.length - 1])

export function table(reports: readonly Report[]): string {
  const rows = reports.map(rowOf)
  const sum = [
    'total',
    '',
    ...[2, 3, 4, 5, 6, 7, 8, 9, 10].map((column) => rows.reduce((total, row) => total + Number(row[column]), 0)),
    faultsOf(reports),
  ]
  const texts = [
    HEAD,
    ...[...rows, sum].map((row) => row.map((cell) => (typeof cell === 'number' ? number(cell) : cell))),
  ]
  const widths = HEAD.map((_, column) => Math.max(...texts.map((cells) => cells[column]!.length)))
  const lines = texts.map((cells) =>
    cells
      .map((cell, column) => (WORDS.has(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  )
  const rule = '-'.repeat(Math.max(...lines.map((line) => line.length)))
  return [lines[0], rule, ...lines.slice(1, -1), rule, lines.at(-1)].join('\n')
}

function rowOf(report: Report): (string | number)[] {
  const { scenario, delivery, seed, seconds, verdict } = report
  const { handedOut, owed, published, deadLettered, gone, lost, doubled, strangers, wrong } = verdict
  return [
    delivery === 'exactly-once' ? scenario : `${scenario} (${delivery})`,
    String(seed),
    handedOut,
    owed,
    published,
    deadLettered,
    gone,
    lost.length,
    doubled.length,
    strangers.length + wrong.length,
    seconds,
    faultsOf([report]),
  ]
}

function faultsOf(reports: readonly Report[]): string {
  const counts = new Map<string, number>()
  for (const { counts: each } of reports) {
    for (const [fault, times] of each) counts.set(fault, (counts.get(fault) ?? 0) + times)
  }
  return faultsIn(counts)
}

/** `32 kill -9, 4 broker SIGSTOP` */
export const faultsIn = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .filter(([, times]) => times > 0)
    .map(([fault, times]) => `${times} ${fault}`)
    .join(', ')
