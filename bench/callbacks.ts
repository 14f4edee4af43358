/** Callbacks of seven over connections that are kept alive. Each is answered before the next one on its connection. */
import { sendBurst } from '../dev/simulators/callback-burst.js'
import type { Stack } from '../dev/stack/index.js'
import { cpuSeconds, startMeasuredTrial, untilSumReaches } from './measured-trial.js'

export interface CallbackFigures {
  /** Callbacks answered with 200. */
  readonly answeredPerSecond: number
  /** From the first callback to the last commit. */
  readonly publishedPerSecond: number
  readonly medianMs: number
  readonly p99Ms: number
  /** CPU time of the connector for one callback, until its event is published. */
  readonly cpuMicroseconds: number
}

export async function measureCallbacks(stack: Stack, count: number, connections: number): Promise<CallbackFigures> {
  const trial = await startMeasuredTrial(stack, ({ sources }) => {
    // The empty queue is asked once, and not again during the measurement.
    sources['mtarget-fr'].pull['idleDelay'] = '1h'
  })
  try {
    const cpuBefore = await cpuSeconds(trial)
    const startedAt = performance.now()
    const report = await sendBurst({ url: trial.callbackUrl, count, connections })
    if (report.refused > 0) throw new Error(`${report.refused} callbacks were not answered with 200`)
    await untilSumReaches(trial, 'dlrmo_events_published_total', count)
    const seconds = (performance.now() - startedAt) / 1_000
    const times = report.times.toSorted((a, b) => a - b)
    return {
      answeredPerSecond: count / report.seconds,
      publishedPerSecond: count / seconds,
      medianMs: quantile(times, 0.5),
      p99Ms: quantile(times, 0.99),
      cpuMicroseconds: (1e6 * ((await cpuSeconds(trial)) - cpuBefore)) / count,
    }
  } finally {
    await trial.stop()
  }
}

/** @param share 0.5 for the median */
const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
