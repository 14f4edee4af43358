import { describe, expect, it } from 'vitest'
import { drawPlot, type Plot } from '../../bench/growth/plot.js'

const plot: Plot = {
  title: 'Growth & more',
  xLabel: 'entries',
  yLabel: 'ms',
  points: [
    { x: 1, y: 10 },
    { x: 10, y: 100 },
    { x: 100, y: 1_000 },
  ],
}

/** The points of the line, as numbers. */
const lineOf = (svg: string): number[][] =>
  (/points="([^"]+)"/.exec(svg)?.[1] ?? '').split(' ').map((point) => point.split(',').map(Number))

describe('A plot', () => {
  it('draws linear growth as a straight line from corner to corner', () => {
    const [first, middle, last] = lineOf(drawPlot(plot))
    expect([first, last]).toEqual([
      [72, 308],
      [616, 40],
    ])
    expect(middle).toEqual([(72 + 616) / 2, (308 + 40) / 2])
  })

  it('escapes what XML reserves', () => {
    expect(drawPlot(plot)).toContain('>Growth &amp; more<')
  })

  it('draws zero and values that are all equal', () => {
    const points = [
      { x: 0, y: 5 },
      { x: 10, y: 5 },
    ]
    const svg = drawPlot({ ...plot, points })
    expect(lineOf(svg).flat().every(Number.isFinite)).toBe(true)
  })
})
