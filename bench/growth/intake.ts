/** How receiving grows: connections that send callbacks, and accounts that are polled while their queues are empty. */
import { setTimeout as delay } from 'node:timers/promises'
import { serve } from '../../dev/simulators/local-server.js'
import { sendBurst } from '../../dev/simulators/callback-burst.js'
import { startCallbackConnector, startConnector } from '../contenders/connector.js'
import { cpuSeconds, memoryOf } from '../process-usage.js'
import { quantile } from '../statistics.js'
import { type Dimension, type GrowthPoint, MICROSECONDS } from './dimension.js'

const CALLBACKS_WARM_UP = 5_000
const MIN_CALLBACKS = 5_000
const CALLBACKS_PER_CONNECTION = 2
/** Callbacks of a single connection take long, because each waits for an fsync of its own. */
const CALLBACKS_OF_ONE = 500

export const connections: Dimension = {
  name: 'connections',
  title: 'Connections',
  xLabel: 'connections that send callbacks, each one at a time',
  xs: [1, 8, 64, 512, 2_000, 5_000, 10_000],
  plotted: 'CPU us per callback',
  async *measure(stack, xs, isLate): AsyncGenerator<GrowthPoint> {
    const connector = await startCallbackConnector(stack)
    let first = 0
    const send = async (count: number, open: number) => {
      const report = await sendBurst({ url: connector.callbackUrl, first, count, connections: open })
      first += count
      await connector.untilPublished()
      return report
    }
    try {
      await send(CALLBACKS_WARM_UP, 64)
      for (const x of xs) {
        if (isLate()) return
        const count = x === 1 ? CALLBACKS_OF_ONE : Math.max(MIN_CALLBACKS, CALLBACKS_PER_CONNECTION * x)
        const cpuBefore = cpuSeconds(connector.pid)
        const report = await send(count, x)
        const figures = {
          'callbacks/s': count / report.seconds,
          'CPU us per callback': (MICROSECONDS * (cpuSeconds(connector.pid) - cpuBefore)) / count,
          'p50 ms': quantile(report.times, 0.5),
          'p99 ms': quantile(report.times, 0.99),
          'anonymous MiB': memoryOf(connector.pid)?.anonymousMiB ?? NaN,
          refused: report.refused,
        }
        yield { x, figures }
      }
    } finally {
      await connector.stop()
    }
  },
}

const IDLE_DELAY_SECONDS = 10
/** The first requests of all accounts fall into the first interval, which is not measured. */
const IDLE_MEASURED_SECONDS = 10

export const sources: Dimension = {
  name: 'sources',
  title: 'Sources',
  xLabel: 'accounts with empty queues, each polled every 10 s',
  xs: [1, 10, 100, 1_000],
  plotted: 'CPU % of a core',
  async *measure(stack, xs, isLate): AsyncGenerator<GrowthPoint> {
    const queue = await serve(async (request, response) => {
      request.resume()
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"results":[]}')
    })
    try {
      for (const x of xs) {
        if (isLate()) return
        const startedAt = performance.now()
        const trial = await startConnector(stack, (configuration) => {
          const pull = { ...configuration.sources['mtarget-fr'].pull, url: `${queue.origin}/notification` }
          for (let index = 0; index < x; index++) {
            const name = index === 0 ? 'mtarget-fr' : `account-${index}`
            configuration.sources[name] = {
              provider: 'mtarget',
              pull: { ...pull, idleDelay: `${IDLE_DELAY_SECONDS}s` },
            }
          }
        })
        try {
          const startSeconds = (performance.now() - startedAt) / 1_000
          const pid = trial.connector.pid!
          await delay(IDLE_DELAY_SECONDS * 1_000)
          const cpuBefore = cpuSeconds(pid)
          await delay(IDLE_MEASURED_SECONDS * 1_000)
          const cpuPercent = (100 * (cpuSeconds(pid) - cpuBefore)) / IDLE_MEASURED_SECONDS
          const anonymousMiB = memoryOf(pid)?.anonymousMiB ?? NaN
          yield {
            x,
            figures: { 'CPU % of a core': cpuPercent, 'start s': startSeconds, 'anonymous MiB': anonymousMiB },
          }
        } finally {
          await trial.stop()
        }
      }
    } finally {
      await queue.stop()
    }
  },
}
