/** `npm run bench:growth`: what becomes more expensive when something grows. One CSV file and one plot for each dimension. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { progressOn } from '../../dev/progress.js'
import { startStack } from '../../dev/stack/index.js'
import type { Dimension, GrowthPoint } from './dimension.js'
import { connections, sources } from './intake.js'
import { journalEntries, rememberedIds } from './journal.js'
import { drawPlot } from './plot.js'
import { batch, partitions, recordSize } from './publishing.js'

const DIMENSIONS: readonly Dimension[] = [
  batch,
  sources,
  partitions,
  recordSize,
  journalEntries,
  rememberedIds,
  connections,
]

const HELP = `Usage: npm run bench:growth -- [options]

  --only NAME,…      only these dimensions: ${DIMENSIONS.map(({ name }) => name).join(', ')}
  --seconds N        the longest time for one dimension; sizes that are not reached by then are left out (default 120)
  --max-size N       leaves out larger sizes
  --directory PATH   where the files are written (default docs/results/growth)`

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    seconds: { type: 'string', default: '120' },
    'max-size': { type: 'string', default: 'Infinity' },
    directory: { type: 'string', default: 'docs/results/growth' },
    help: { type: 'boolean', default: false },
  },
})

async function writeResults(directory: string, dimension: Dimension, points: readonly GrowthPoint[]): Promise<void> {
  const [first] = points
  if (first === undefined) return
  const names = Object.keys(first.figures)
  const lines = points.map(({ x, figures }) =>
    [x, ...names.map((name) => Number(figures[name]!.toPrecision(4)))].join(','),
  )
  const head = [dimension.xLabel, ...names].map((name) => `"${name}"`).join(',')
  const { plotted, title, xLabel } = dimension
  const plot = { title, xLabel, yLabel: plotted, points: points.map(({ x, figures }) => ({ x, y: figures[plotted]! })) }
  await writeFile(join(directory, `${dimension.name}.csv`), `${[head, ...lines].join('\n')}\n`)
  await writeFile(join(directory, `${dimension.name}.svg`), drawPlot(plot))
}

if (options.help) {
  console.log(HELP)
} else {
  const only = options.only?.split(',')
  const progress = progressOn()
  await mkdir(options.directory, { recursive: true })
  const stack = await startStack({ progress })
  try {
    for (const dimension of DIMENSIONS.filter(({ name }) => only?.includes(name) ?? true)) {
      progress.step(`${dimension.title} ...`)
      const deadline = performance.now() + 1_000 * Number(options.seconds)
      const xs = dimension.xs.filter((x) => x <= Number(options['max-size']))
      const points: GrowthPoint[] = []
      for await (const point of dimension.measure(stack, xs, () => performance.now() > deadline)) {
        points.push(point)
        const figures = Object.entries(point.figures).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
        console.log(`${dimension.name} ${point.x}: ${figures.join(', ')}`)
      }
      await writeResults(options.directory, dimension, points)
    }
  } finally {
    await stack.stop()
  }
}
