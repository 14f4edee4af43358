/** A full queue of Mtarget, drained with the default page sizes. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ProviderData } from '../dev/simulators/data.js'
import type { Stack } from '../dev/stack/index.js'
import { startConnector, untilPublishing, untilReached } from './running.js'

/** @returns items a second, from the first request for a page to the last commit */
export async function measurePulls(stack: Stack, rows: number): Promise<number> {
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
    open = true
    await untilReached(running, 'dlrmo_events_published_total', rows)
    return rows / ((performance.now() - startedAt) / 1000)
  } finally {
    await running.stop()
    server.closeAllConnections()
    server.close()
  }
}
