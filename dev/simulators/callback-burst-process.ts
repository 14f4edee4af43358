/** Makes the calls of `flood`: a client library would take as much of a small machine as the connector does. */
import { connect } from 'node:net'
import { burstReceipt, type BurstOptions, type BurstReport } from './callback-burst.js'

const { url, first = 0, count, connections } = JSON.parse(process.argv[2]!) as BurstOptions
const { hostname, port, pathname } = new URL(url)
const times: number[] = []
let next = first
let refused = 0

const drive = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port: Number(port), host: hostname, noDelay: true })
    let sentAt = 0
    const send = (): void => {
      if (next >= first + count) return void socket.end(resolve)
      const { msg_id, status } = burstReceipt(next++)
      sentAt = performance.now()
      socket.write(`GET ${pathname}?msg_id=${msg_id}&status=${status} HTTP/1.1\r\nhost: flood\r\n\r\n`)
    }
    // An answer without body, in one segment on loopback; should it come in two, the first has the status line.
    socket.on('data', (chunk) => {
      if (!chunk.includes('\r\n\r\n')) return
      if (!chunk.includes('HTTP/1.1 200')) refused++
      if (times.length < 200_000) times.push(performance.now() - sentAt)
      send()
    })
    socket.on('error', reject)
    socket.on('connect', send)
  })

const start = performance.now()
await Promise.all(Array.from({ length: connections }, drive))
const report: BurstReport = { seconds: (performance.now() - start) / 1000, times, refused }
process.send?.(report, () => process.exit(0))
