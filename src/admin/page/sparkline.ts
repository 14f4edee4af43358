/** A line of the last hour as inline SVG, with what it shows as text for those who can't see it. */
import { formatCount } from './format.js'
import { html, type Html } from './html.js'

const WIDTH = 120
const HEIGHT = 28
const MINUTES = 60

/**
 * @param values one for each minute, the last one for the present minute; fewer than 60 shortly after the start
 * @param name of what is counted, as in `events published`
 * @param format of a value; the default is a count
 */
export function sparkline(values: readonly number[], name: string, format = formatCount): Html {
  const highest = Math.max(1, ...values)
  const points = values.map((value, index) => {
    const x = WIDTH - ((values.length - 1 - index) * WIDTH) / (MINUTES - 1)
    const y = HEIGHT - 2 - (value / highest) * (HEIGHT - 4)
    return `${round(x)},${round(y)}`
  })
  // A line needs two points.
  if (points.length === 1) points.unshift(`${round(WIDTH - 2)},${points[0]!.split(',')[1]}`)
  const peak = Math.max(0, ...values)
  const label = `${name} in the last ${values.length === 1 ? 'minute' : `${values.length} minutes`}: highest ${format(peak)} a minute, now ${format(values.at(-1) ?? 0)}`
  return html`<svg
    class="spark"
    viewBox="0 0 ${WIDTH} ${HEIGHT}"
    preserveAspectRatio="none"
    role="img"
    aria-label="${label}"
  >
    <path class="base" d="M0 ${HEIGHT - 1}H${WIDTH}" />
    <polyline points="${points.join(' ')}" />
  </svg>`
}

const round = (value: number): number => Math.round(value * 10) / 10
