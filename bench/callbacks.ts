/** Callbacks of seven over connections that are kept alive, each answered before the next on its connection. */
import { sendBurst } from '../dev/simulators/callback-burst.js'
import type { Stack } from '../dev/stack/index.js'
import { quantile } from './figures.js'
import { startConnector, untilPublishing, untilReached } from './running.js'

export interface CallbackFigures {
  /** Answered with 200, a second. */
  readonly answered: number
  /** From the first request to the last commit, a second. */
  readonly published: number
  /** Milliseconds. */
  readonly median: number
  readonly p99: number
  /** CPU time of the connector for one callback, published; microseconds. */
  readonly cpu: number
}

export async function measureCallbacks(stack: Stack, count: number, connections: number): Promise<CallbackFigures> {
  const running = await startConnector(stack, 'bench-callbacks', 'http://127.0.0.1:1/')
  try {
    await untilPublishing(running)
    const cpuBefore = await running.sum('process_cpu_seconds_total')
    const start = performance.now()
    const report = await sendBurst({
      url: `http://127.0.0.1:${running.callbackPort}/callbacks/seven-main/bench`,
      count,
      connections,
    })
    if (report.refused > 0) throw new Error(`${report.refused} callbacks were not answered with 200`)
    await untilReached(running, 'dlrmo_events_published_total', count)
    const seconds = (performance.now() - start) / 1000
    const times = report.times.toSorted((a, b) => a - b)
    return {
      answered: count / report.seconds,
      published: count / seconds,
      median: quantile(times, 0.5),
      p99: quantile(times, 0.99),
      cpu: (1e6 * ((await running.sum('process_cpu_seconds_total')) - cpuBefore)) / count,
    }
  } finally {
    await running.stop()
  }
}
