/** A full queue of Mtarget, drained with the default page sizes. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ProviderData } from '../dev/simulators/provider-data.js'
import type { Stack } from '../dev/stack/index.js'
import { startConnector, untilPublishing, untilReached } from './running.js'

export interface PullFigures {
  /** From the first request for a page to the last commit, a second. */
  readonly published: number
  /** CPU time of the connector for one item, published; microseconds. */
  readonly cpu: number
}

export async function measurePulls(stack: Stack, rows: number): Promise<PullFigures> {
  // Rendered before: the queue's own speed is not what is measured.
  const queue = new ProviderData(2).mtargetMix(rows).map((row) => JSON.stringify(row))
  let open = false
  let startedAt = 0
  const server = createServer((request, response) => {
    let form = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (form += chunk))
    request.on('end', () => {
      const limit = Number(new URLSearchParams(form).get('max'))
      if (open && startedAt === 0) startedAt = performance.now()
      const page = open ? queue.splice(0, limit) : []
      response.writeHead(200, { 'content-type': 'application/json' }).end(`{"results":[${page.join(',')}]}`)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/notification`
  const running = await startConnector(stack, 'bench-pulls', url)
  try {
    await untilPublishing(running)
    const cpuBefore = await running.sum('process_cpu_seconds_total')
    open = true
    await untilReached(running, 'dlrmo_events_published_total', rows)
    const seconds = (performance.now() - startedAt) / 1000
    const cpu = (await running.sum('process_cpu_seconds_total')) - cpuBefore
    return { published: rows / seconds, cpu: (1e6 * cpu) / rows }
  } finally {
    await running.stop()
    server.closeAllConnections()
    server.close()
  }
}
