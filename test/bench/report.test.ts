import { describe, expect, it } from 'vitest'
import { NAMES } from '../../bench/contenders/contender.js'
import { formatReport, summarizeRounds, type BenchReport } from '../../bench/report.js'
import { quantile, summarize } from '../../bench/statistics.js'

describe('Statistics of the benchmark', () => {
  it('take the median and the extremes of values in any order', () => {
    expect(summarize([9, 1, 5])).toEqual({ median: 5, min: 1, max: 9, values: [9, 1, 5] })
  })

  it('take the largest value as the 99th percentile of few values', () => {
    expect(quantile([3, 1, 2], 0.99)).toBe(3)
  })

  it('give no number without values', () => {
    expect(quantile([], 0.5)).toBeNaN()
  })
})

describe('The report of the benchmark', () => {
  const work = 'pulled items'
  const rates = (contender: string, values: readonly number[]) =>
    values.map((value) => ({ contender, work, figure: '/s', value }))
  const measurements = [...rates(NAMES.connectorLargePages, [100, 300]), ...rates(NAMES.connect, [200, 300])]
  const report: BenchReport = {
    startedAt: '2026-01-01T00:00:00.000Z',
    node: 'v20.19.0',
    kafka: '4.1.1',
    cores: 2,
    rounds: 2,
    workload: {},
    missing: ['Apache Camel: no Java was found'],
    results: summarizeRounds(measurements),
    processes: [],
  }

  it('joins the same figure of all rounds', () => {
    expect(report.results.map(({ contender, values }) => [contender, values])).toEqual([
      [NAMES.connectorLargePages, [100, 300]],
      [NAMES.connect, [200, 300]],
    ])
  })

  it('compares figures of the same round, not medians of different rounds', () => {
    expect(formatReport(report)).toMatch(/pulled items, \/s +this connector.* 1\.00 \(0\.50-1\.00\)/)
  })

  it('leaves out a comparison with a contender that was not measured', () => {
    expect(formatReport(report)).not.toContain(NAMES.camel)
  })

  it('names what was not measured, with the reason', () => {
    expect(formatReport(report)).toContain('Not measured: Apache Camel: no Java was found')
  })
})
