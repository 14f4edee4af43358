/** A full queue of Mtarget, drained with the default page sizes. */
import { serve, bodyOf } from '../dev/simulators/local-server.js'
import { ProviderData } from '../dev/simulators/provider-data.js'
import type { Stack } from '../dev/stack/index.js'
import { cpuSeconds, startMeasuredTrial, untilSumReaches } from './measured-trial.js'

export interface PullFigures {
  /** From the first request for a page to the last commit. */
  readonly publishedPerSecond: number
  /** CPU time of the connector for one item, until its event is published. */
  readonly cpuMicroseconds: number
}

export async function measurePulls(stack: Stack, rows: number): Promise<PullFigures> {
  // The rows are rendered in advance, because the speed of the queue is not what is measured.
  const queue = new ProviderData(2).mtargetMix(rows).map((row) => JSON.stringify(row))
  let isOpen = false
  let startedAt = 0
  const server = await serve(async (request, response) => {
    const limit = Number(new URLSearchParams(await bodyOf(request)).get('max'))
    if (isOpen && startedAt === 0) startedAt = performance.now()
    const page = isOpen ? queue.splice(0, limit) : []
    response.writeHead(200, { 'content-type': 'application/json' }).end(`{"results":[${page.join(',')}]}`)
  })
  const trial = await startMeasuredTrial(stack, ({ sources }) => {
    const { pull } = sources['mtarget-fr']
    pull['url'] = `${server.origin}/notification`
    pull['idleDelay'] = '100ms'
  })
  try {
    const cpuBefore = await cpuSeconds(trial)
    isOpen = true
    await untilSumReaches(trial, 'dlrmo_events_published_total', rows)
    const seconds = (performance.now() - startedAt) / 1_000
    const cpu = (await cpuSeconds(trial)) - cpuBefore
    return { publishedPerSecond: rows / seconds, cpuMicroseconds: (1e6 * cpu) / rows }
  } finally {
    await trial.stop()
    await server.stop()
  }
}
