/** A TCP server that answers whatever arrives with the bytes of an HTTP answer, for the maximum of the load generator. */
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { serveParent } from './child.js'

const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  socket.on('data', () => socket.write(ANSWER))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
serveParent(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, async () => undefined)
