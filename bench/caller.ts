/**
 * Makes callbacks on raw sockets: a client library would take as much of a small machine as the connector does.
 * Arguments: port, number of callbacks, connections.
 */
import { connect } from 'node:net'
import type { CallerReport } from './callbacks.js'

const [port = 0, count = 0, connections = 1] = process.argv.slice(2).map(Number)
const STATES = ['DELIVERED', 'BUFFERED', 'TRANSMITTED', 'ACCEPTED', 'EXPIRED']
const times: number[] = []
let next = 0
let refused = 0

const drive = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let sentAt = 0
    const send = (): void => {
      if (next >= count) return void socket.end(resolve)
      const id = next++
      sentAt = performance.now()
      socket.write(
        `GET /callbacks/seven-main/bench?msg_id=77${id}&status=${STATES[id % STATES.length]} HTTP/1.1\r\nhost: bench\r\n\r\n`,
      )
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
const report: CallerReport = { seconds: (performance.now() - start) / 1000, times, refused }
process.send?.(report, () => process.exit(0))
