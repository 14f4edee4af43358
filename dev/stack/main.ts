/**
 * `npm run stack`: a Kafka broker and a schema registry to play with. Prints two lines for `export`, stays until Ctrl-C.
 */
import { progressOn } from '../progress.js'
import { startStack, StackError } from './index.js'

let started = false
const stopRequested = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // While it starts, or downloads, leaving is enough: what was started can't outlive us.
      if (!started) process.exit(130)
      resolve()
    })
  }
})

try {
  const stack = await startStack({ progress: progressOn() })
  started = true
  console.log(`KAFKA_BROKERS=${stack.brokers.join(',')}`)
  console.log(`SCHEMA_REGISTRY_URL=${stack.registryUrl}`)
  console.error('Ctrl-C ends it.')
  // A promise alone keeps no process alive.
  const keepAlive = setInterval(() => undefined, 3_600_000)
  await stopRequested
  clearInterval(keepAlive)
  await stack.stop()
  process.exit(0)
} catch (error) {
  console.error(error instanceof StackError ? error.message : error)
  process.exit(1)
}
