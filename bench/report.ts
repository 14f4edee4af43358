/** The results as a table for people and as JSON for programs. */
import { formatTable } from '../dev/table.js'
import type { Measurement } from './bench-run.js'
import { NAMES } from './contenders/contender.js'
import type { MemoryPeak } from './process-usage.js'
import { summarize, type Summary } from './statistics.js'

export interface ProcessUsage extends MemoryPeak {
  readonly contender: string
  /** From its start to the end of the last round. */
  readonly cpuSeconds: number
}

export interface BenchReport {
  readonly startedAt: string
  readonly node: string
  readonly kafka: string
  readonly cores: number
  readonly rounds: number
  readonly workload: object
  /** Contenders that could not be started, with the reason. */
  readonly missing: readonly string[]
  readonly results: readonly (Omit<Measurement, 'value'> & Summary)[]
  readonly processes: readonly ProcessUsage[]
}

/** Summarizes the same figure of all rounds. */
export function summarizeRounds(measurements: readonly Measurement[]): BenchReport['results'] {
  const groups = new Map<string, Measurement[]>()
  for (const measurement of measurements) {
    const key = JSON.stringify([measurement.work, measurement.contender, measurement.figure])
    groups.set(key, [...(groups.get(key) ?? []), measurement])
  }
  return [...groups.values()].map((group) => {
    const { contender, work, figure } = group[0]!
    return { contender, work, figure, ...summarize(group.map(({ value }) => value)) }
  })
}

interface Comparison {
  readonly work: string
  readonly figure: string
  readonly of: string
  readonly against: string
}

const COMPARISONS: readonly Comparison[] = [
  { work: 'callbacks at 64 connections', figure: '/s', of: NAMES.connector, against: NAMES.camel },
  { work: 'callbacks at 64 connections', figure: '/s', of: NAMES.connector, against: NAMES.fastify },
  { work: 'callbacks at 64 connections', figure: '/s', of: NAMES.connector, against: NAMES.durableServer },
  { work: 'callbacks at 8 connections', figure: '/s', of: NAMES.connector, against: NAMES.camel },
  { work: 'callbacks at 8 connections', figure: '/s', of: NAMES.connector, against: NAMES.fastify },
  { work: 'callbacks at 8 connections', figure: '/s', of: NAMES.connector, against: NAMES.durableServer },
  { work: 'pulled items', figure: '/s', of: NAMES.connectorLargePages, against: NAMES.connect },
  { work: 'pulled items', figure: 'CPU us', of: NAMES.connectorLargePages, against: NAMES.connect },
  { work: 'records in transactions', figure: '/s', of: NAMES.publisher, against: NAMES.kafkajs },
  {
    work: 'callbacks at 64 connections',
    figure: 'CPU us',
    of: NAMES.withTelemetry,
    against: NAMES.withoutTelemetry,
  },
  {
    work: 'callbacks at 64 connections',
    figure: 'CPU us',
    of: NAMES.withAllTraces,
    against: NAMES.withoutTelemetry,
  },
  { work: 'pulled items', figure: 'CPU us', of: NAMES.withTelemetry, against: NAMES.withoutTelemetry },
  { work: 'pulled items', figure: 'CPU us', of: NAMES.withAllTraces, against: NAMES.withoutTelemetry },
  {
    work: 'callbacks at 64 connections',
    figure: 'CPU us',
    of: NAMES.withEncryption,
    against: NAMES.withoutEncryption,
  },
  { work: 'pulled items', figure: 'CPU us', of: NAMES.withEncryption, against: NAMES.withoutEncryption },
  { work: 'request to visible at 20/s', figure: 'p50 ms', of: NAMES.connector, against: NAMES.camel },
]

/** Ratios of figures of the same round. A comparison with a contender that was not measured is left out. */
function compare(results: BenchReport['results']): (Comparison & { ratio: Summary })[] {
  const find = (contender: string, { work, figure }: Comparison) =>
    results.find((each) => each.contender === contender && each.work === work && each.figure === figure)
  return COMPARISONS.flatMap((comparison) => {
    const dividends = find(comparison.of, comparison)?.values
    const divisors = find(comparison.against, comparison)?.values
    if (!dividends || !divisors) return []
    return [{ ...comparison, ratio: summarize(dividends.map((value, round) => value / divisors[round]!)) }]
  })
}

export function formatReport(report: BenchReport): string {
  const works = [...new Set(report.results.map(({ work }) => work))]
  return [
    ...works.map((work) => formatWork(report, work)),
    formatPlainTable(
      ['ratio within a round', 'of', 'to', 'ratio'],
      compare(report.results).map(({ work, figure, of, against, ratio }) => [
        `${work}, ${figure}`,
        of,
        against,
        formatSummary(ratio, 2),
      ]),
    ),
    formatProcesses(report),
    ...report.missing.map((missing) => `Not measured: ${missing}`),
    `Medians of ${report.rounds} interleaved rounds, with minimum and maximum in parentheses, after a round that is not counted.`,
    'The generator is the process that sends callbacks or hands out pages; at 100 % it would be the limit.',
  ].join('\n\n')
}

function formatWork({ results }: BenchReport, work: string): string {
  const ofWork = results.filter((result) => result.work === work)
  const figures = [...new Set(ofWork.map(({ figure }) => figure))]
  const contenders = [...new Set(ofWork.map(({ contender }) => contender))]
  const rows = contenders.map((contender) => [
    contender,
    ...figures.map((figure) => {
      const result = ofWork.find((each) => each.contender === contender && each.figure === figure)
      return result ? formatSummary(result) : ''
    }),
  ])
  return formatPlainTable([work, ...figures], rows)
}

function formatProcesses({ processes }: BenchReport): string {
  const rows = processes.map(({ contender, cpuSeconds, anonymousMiB, fileMappedMiB }) => [
    contender,
    formatFigure(cpuSeconds),
    formatFigure(anonymousMiB),
    formatFigure(fileMappedMiB),
  ])
  return formatPlainTable(
    ['processes, all rounds together', 'CPU s', 'peak anonymous MiB', 'peak file-mapped MiB'],
    rows,
  )
}

/** `formatTable` sets its last row apart, which here holds no totals. */
const formatPlainTable = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  formatTable(head, [...rows, head.map(() => '')])
    .split('\n')
    .slice(0, -2)
    .join('\n')

/** @param digits behind the decimal point of values below 100 */
const formatSummary = ({ median, min, max, values }: Summary, digits = 1): string =>
  values.length > 1
    ? `${formatFigure(median, digits)} (${formatFigure(min, digits)}-${formatFigure(max, digits)})`
    : formatFigure(median, digits)

const formatFigure = (value: number, digits = 1): string =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(digits)
