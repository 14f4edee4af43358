/** `npm run stack`: a Kafka broker and a schema registry. Prints two lines for `export`, and runs until Ctrl-C. */
import { parseCommandLine } from '../command-line.js'
import { progressOn } from '../progress.js'
import { startStack, StackError } from './index.js'

parseCommandLine(
  'npm run stack: starts a Kafka broker and a schema registry, prints their addresses, and runs until Ctrl-C.',
  {
    options: {},
  },
)

let isStarted = false
const stopRequested = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // What was started so far cannot outlive this process.
      if (!isStarted) process.exit(130)
      resolve()
    })
  }
})

try {
  const stack = await startStack({ progress: progressOn() })
  isStarted = true
  console.log(`KAFKA_BROKERS=${stack.brokers.join(',')}`)
  console.log(`SCHEMA_REGISTRY_URL=${stack.registryUrl}`)
  console.error('Ctrl-C stops both.')
  // A pending promise does not keep a process alive.
  const keepAlive = setInterval(() => undefined, 3_600_000)
  await stopRequested
  clearInterval(keepAlive)
  await stack.stop()
  process.exit(0)
} catch (error) {
  console.error(error instanceof StackError ? error.message : error)
  process.exit(1)
}
