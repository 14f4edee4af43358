/**
 * `npm run bench`: the throughput of the connector on this machine, beside that of kafkajs alone with the same records.
 *
 * Load generator, connector and broker share the machine. Figures of a small or busy machine are orders of magnitude;
 * what can be compared are the ratios within one run. `--callbacks N` and `--rows N` set the amount of work.
 */
import { parseArgs } from 'node:util'
import { progressOn } from '../dev/progress.js'
import { startStack } from '../dev/stack/index.js'
import { formatNumber } from '../dev/table.js'
import { measureKafkajs } from './kafkajs-alone.js'
import { measureCallbacks } from './callbacks.js'
import { measurePulls } from './pulls.js'

const { values } = parseArgs({
  options: {
    callbacks: { type: 'string', default: '60000' },
    rows: { type: 'string', default: '100000' },
    connections: { type: 'string', default: '64' },
  },
})
const callbacks = Number(values.callbacks)
const rows = Number(values.rows)

const show = (what: string, figure: string): void => console.log(`${what.padEnd(56)} ${figure}`)

const stack = await startStack({ progress: progressOn() })
try {
  const kafkajs = await measureKafkajs(stack, rows)
  show('kafkajs alone, transactions of 5,000', `${formatNumber(kafkajs)} records/s`)

  const called = await measureCallbacks(stack, callbacks, Number(values.connections))
  show(
    `callbacks at ${values.connections} connections, 200 after fsync`,
    `${formatNumber(called.answeredPerSecond)} /s`,
  )
  show('  the same until all are committed to Kafka', `${formatNumber(called.publishedPerSecond)} /s`)
  show('  time to answer, median / 99 %', `${called.medianMs.toFixed(1)} / ${called.p99Ms.toFixed(1)} ms`)
  show('  CPU time of the connector per callback', `${called.cpuMicroseconds.toFixed(0)} us`)

  const pulled = await measurePulls(stack, rows)
  show('pulled items, until all are committed to Kafka', `${formatNumber(pulled.publishedPerSecond)} /s`)
  show('  compared with kafkajs alone', `${((100 * pulled.publishedPerSecond) / kafkajs).toFixed(0)} %`)
  show('  CPU time of the connector per item', `${pulled.cpuMicroseconds.toFixed(0)} us`)
} finally {
  await stack.stop()
}
