/**
 * `npm run bench`: what the connector does here, beside what kafkajs does alone with the same records, in one run.
 *
 * Figures of a small or busy machine are orders of magnitude; the ratios of one run are what can be compared. Load
 * generator, connector and broker share this machine. Bounded: `--callbacks N --rows N`.
 */
import { parseArgs } from 'node:util'
import { progressOn } from '../dev/progress.js'
import { startStack } from '../dev/stack/index.js'
import { kafkajsAlone } from './kafkajs-alone.js'
import { measureCallbacks } from './callbacks.js'
import { measurePulls } from './pulls.js'
import { number, row } from './figures.js'

const { values } = parseArgs({
  options: {
    callbacks: { type: 'string', default: '60000' },
    rows: { type: 'string', default: '100000' },
    connections: { type: 'string', default: '64' },
  },
})
const callbacks = Number(values.callbacks)
const rows = Number(values.rows)

const stack = await startStack({ progress: progressOn() })
try {
  const alone = await kafkajsAlone(stack, rows)
  console.log(row('kafkajs alone, transactions of 5,000', `${number(alone)} records/s`))

  const called = await measureCallbacks(stack, callbacks, Number(values.connections))
  console.log(row(`callbacks at ${values.connections} connections, 200 after fsync`, `${number(called.answered)} /s`))
  console.log(row('  the same until all are committed to Kafka', `${number(called.published)} /s`))
  console.log(row('  time to answer, median / 99 %', `${called.median.toFixed(1)} / ${called.p99.toFixed(1)} ms`))

  console.log(row('  CPU of the connector for one', `${called.cpu.toFixed(0)} us`))

  const pulled = await measurePulls(stack, rows)
  console.log(row('pulled items, until all are committed to Kafka', `${number(pulled.published)} /s`))
  console.log(row('  of what kafkajs does alone', `${((100 * pulled.published) / alone).toFixed(0)} %`))
  console.log(row('  CPU of the connector for one', `${pulled.cpu.toFixed(0)} us`))
} finally {
  await stack.stop()
}
