/**
 * The process that `sendBurst` starts. It writes HTTP requests to sockets by itself, because an HTTP client would take as
 * much of a small machine as the connector.
 */
import { connect } from 'node:net'
import { burstReceipt, type BurstOptions, type BurstReport } from './callback-burst.js'

const MAX_TIMES = 200_000

const { url, first = 0, count, connections } = JSON.parse(process.argv[2]!) as BurstOptions
const { hostname, port, pathname } = new URL(url)
const times: number[] = []
let next = first
let refused = 0

const sendOnOneConnection = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port: Number(port), host: hostname, noDelay: true })
    let sentAt = 0
    const sendNext = (): void => {
      if (next >= first + count) return void socket.end(resolve)
      const { msg_id, status } = burstReceipt(next)
      next++
      sentAt = performance.now()
      socket.write(`GET ${pathname}?msg_id=${msg_id}&status=${status} HTTP/1.1\r\nhost: burst\r\n\r\n`)
    }
    // An answer has no body and arrives in one segment on the loopback interface.
    socket.on('data', (chunk) => {
      if (!chunk.includes('\r\n\r\n')) return
      if (!chunk.includes('HTTP/1.1 200')) refused++
      if (times.length < MAX_TIMES) times.push(performance.now() - sentAt)
      sendNext()
    })
    socket.on('error', reject)
    socket.on('connect', sendNext)
  })

const startedAt = performance.now()
const cpuAtStart = process.cpuUsage()
await Promise.all(Array.from({ length: connections }, sendOnOneConnection))
const seconds = (performance.now() - startedAt) / 1_000
const { user, system } = process.cpuUsage(cpuAtStart)
const report: BurstReport = { seconds, times, refused, cpuSeconds: (user + system) / 1e6 }
process.send?.(report, () => process.exit(0))
