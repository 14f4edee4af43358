/** Plots as SVG: one line, both axes logarithmic, so that a line that rises by one decade per decade is linear growth. */

export interface Plot {
  readonly title: string
  readonly xLabel: string
  readonly yLabel: string
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

const WIDTH = 640
const HEIGHT = 360
const MARGIN = { top: 40, right: 24, bottom: 52, left: 72 }
/** Zero has no logarithm, so it is drawn at this value. */
const ZERO = 0.5

interface Axis {
  readonly ticks: readonly number[]
  /** The place of a value, between 0 and 1. */
  readonly place: (value: number) => number
}

export function drawPlot({ title, xLabel, yLabel, points }: Plot): string {
  const xAxis = logarithmicAxis(points.map(({ x }) => x))
  const yAxis = logarithmicAxis(points.map(({ y }) => y))
  const xOf = (x: number): string => (MARGIN.left + xAxis.place(x) * (WIDTH - MARGIN.left - MARGIN.right)).toFixed(1)
  const yOf = (y: number): string =>
    (HEIGHT - MARGIN.bottom - yAxis.place(y) * (HEIGHT - MARGIN.top - MARGIN.bottom)).toFixed(1)
  const bottom = HEIGHT - MARGIN.bottom
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${WIDTH / 2}" y="22" text-anchor="middle" font-size="15">${escape(title)}</text>`,
    ...xAxis.ticks.flatMap((x) => [
      `<path d="M${xOf(x)} ${MARGIN.top}V${bottom}" stroke="#ddd"/>`,
      `<text x="${xOf(x)}" y="${bottom + 18}" text-anchor="middle">${formatTick(x)}</text>`,
    ]),
    ...yAxis.ticks.flatMap((y) => [
      `<path d="M${MARGIN.left} ${yOf(y)}H${WIDTH - MARGIN.right}" stroke="#ddd"/>`,
      `<text x="${MARGIN.left - 8}" y="${yOf(y)}" text-anchor="end" dominant-baseline="middle">${formatTick(y)}</text>`,
    ]),
    `<text x="${WIDTH / 2}" y="${HEIGHT - 12}" text-anchor="middle">${escape(xLabel)}</text>`,
    `<text transform="translate(16 ${HEIGHT / 2}) rotate(-90)" text-anchor="middle">${escape(yLabel)}</text>`,
    `<polyline fill="none" stroke="#1f5fa8" stroke-width="2" points="${points.map(({ x, y }) => `${xOf(x)},${yOf(y)}`).join(' ')}"/>`,
    ...points.map(({ x, y }) => `<circle cx="${xOf(x)}" cy="${yOf(y)}" r="4" fill="#1f5fa8"/>`),
    '</svg>',
    '',
  ].join('\n')
}

/** From the decade below the smallest value to the decade above the largest. */
function logarithmicAxis(values: readonly number[]): Axis {
  const logarithms = values.map(logarithmOf)
  const first = Math.floor(Math.min(...logarithms))
  const last = Math.max(first + 1, Math.ceil(Math.max(...logarithms)))
  return {
    ticks: Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index)),
    place: (value) => (logarithmOf(value) - first) / (last - first),
  }
}

const logarithmOf = (value: number): number => Math.log10(value > 0 ? value : ZERO)

const formatTick = (value: number): string => (value >= 1 ? value.toLocaleString('en-US') : String(value))

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
