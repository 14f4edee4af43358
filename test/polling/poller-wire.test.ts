import { afterEach, describe, expect, it } from 'vitest'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { IDLE, PollerBench } from '../support/poller.js'

const bench = new PollerBench()
const data = new ProviderData(8)
const servers: Server[] = []
const sockets = new Set<Socket>()

afterEach(async () => {
  await bench.stopAll()
  for (const socket of sockets) socket.destroy()
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))))
})

/** A provider that answers each request with these bytes, or whatever it does to the socket. */
const provider = async (answer: (socket: Socket, request: string, nth: number) => void) => {
  let requests = 0
  let connections = 0
  const server = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    socket.on('data', (bytes) => answer(socket, bytes.toString(), ++requests))
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/notification`, port, seen: () => ({ requests, connections }) }
}

const http = (status: string, body: string, headers = ''): string =>
  `HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\n${headers}\r\n${body}`
/** Each looks at the sockets: what one side of this process has written, the other has read a few turns later. */
const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}
const EMPTY = '{"results":[]}'

describe('a request to a queue', () => {
  it('is sent once, also when the connection dies instead of answering', async () => {
    for (const die of [
      (socket: Socket) => socket.destroy(),
      (socket: Socket) => socket.resetAndDestroy(),
      (socket: Socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-le'),
      (socket: Socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n'),
    ]) {
      const { url, seen } = await provider(die)
      const tested = bench.poller(url)
      tested.poller.start()
      expect(await tested.paused()).toBeLessThanOrEqual(1_000)
      expect(seen()).toEqual({ requests: 1, connections: 1 })
      expect(tested.observer.outcomes).toEqual(['network-error'])
      expect(tested.journal.attempts).toBe(0)
    }
  })

  it('is given up when no byte of an answer comes, and the page size shrinks: a page may be gone', async () => {
    const { url, seen } = await provider(() => {})
    const tested = bench.poller(url, { timeout: 200 })
    tested.poller.start()
    await tested.paused()
    expect(tested.observer.outcomes).toEqual(['timeout'])
    expect(tested.observer.limits).toEqual([25])
    expect(seen().requests).toBe(1)
  })

  it('is not followed elsewhere: a redirect is an error that says where it points, without parameters', async () => {
    const { url } = await provider((socket) => {
      socket.write(http('307 Temporary Redirect', '', 'location: /elsewhere?key=1\r\n'))
    })
    const tested = bench.poller(url)
    tested.poller.start()
    await tested.paused()
    expect(tested.observer.outcomes).toEqual(['account-error'])
    expect(tested.observer.last?.lastError).toMatch(/redirect to http:\/\/127\.0\.0\.1:\d+\/elsewhere is not followed/)
    expect(tested.observer.last?.lastError).not.toContain('key')
  })

  it('goes over the same connection during a drain, and over a new one after each pause', async () => {
    const page = JSON.stringify({ results: data.mtargetReceipts(2) })
    const { url, seen } = await provider((socket, _request, nth) => {
      socket.write(http('200 OK', nth % 4 === 0 ? EMPTY : page))
    })
    const tested = bench.poller(url)
    tested.poller.start()
    expect(await tested.paused()).toBe(IDLE)
    expect(seen()).toEqual({ requests: 4, connections: 1 })
    await tested.nextPause()
    expect(seen()).toEqual({ requests: 8, connections: 2 })
  })

  it('is tried again at the same page size rules when the provider can not be reached at all', async () => {
    const { url, port } = await provider(() => {})
    await new Promise((resolve) => servers.pop()?.close(resolve))
    const tested = bench.poller(url)
    tested.poller.start()
    await tested.paused()
    expect(tested.observer.outcomes).toEqual(['network-error'])
    expect(tested.observer.last?.lastError).toContain(`ECONNREFUSED 127.0.0.1:${port}`)
  })

  it('survives an answer of 1xx before the real one', async () => {
    const { url } = await provider((socket) => {
      socket.write(`HTTP/1.1 102 Processing\r\n\r\n${http('200 OK', EMPTY)}`)
    })
    const tested = bench.poller(url)
    tested.poller.start()
    expect(await tested.paused()).toBe(IDLE)
  })

  it('keeps what a chunked answer held that breaks off inside a chunk', async () => {
    const { url } = await provider((socket) => {
      socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"res\r\nff\r\nults')
    })
    const tested = bench.poller(url)
    tested.poller.start()
    await tested.paused()
    expect(tested.bodies).toEqual(['{"results'])
    expect(tested.journal.entries[0]?.facts.complete).toBe('false')
  })

  it('keeps what came before bytes that are not HTTP', async () => {
    const { url } = await provider((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"res\r\nnonsense\r\n')
    })
    const tested = bench.poller(url)
    tested.poller.start()
    await tested.paused()
    expect(tested.bodies).toEqual(['{"res'])
  })
})

describe('stopping', () => {
  it('waits for the answer in hand and its custody', async () => {
    const page = JSON.stringify({ results: data.mtargetReceipts(2) })
    let answer = (): void => {}
    const { url, seen } = await provider((socket) => {
      answer = () => socket.write(http('200 OK', page))
    })
    const tested = bench.poller(url)
    tested.poller.start()
    while (seen().requests === 0) await new Promise((resolve) => setImmediate(resolve))
    let stopped = false
    const stop = tested.poller.stop().then(() => (stopped = true))
    await turns(200)
    expect(stopped).toBe(false)
    answer()
    await stop
    expect(tested.bodies).toEqual([page])
    expect(seen().requests).toBe(1)
    expect(tested.observer.last?.state).toBe('stopped')
  })

  it('waits for no longer than `timeout` in all, and keeps what has come until then', async () => {
    const { url, seen } = await provider((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"results":[')
    })
    const tested = bench.poller(url)
    tested.poller.start()
    while (seen().requests === 0) await new Promise((resolve) => setImmediate(resolve))
    await turns(100)
    const stopped = tested.poller.stop()
    await tested.clock.advance(5_000)
    await stopped
    expect(tested.bodies).toEqual(['{"results":['])
  })

  it('keeps what has come of it when it can not wait at all', async () => {
    const { url, seen } = await provider((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"results":[')
    })
    const tested = bench.poller(url)
    tested.poller.start()
    while (seen().requests === 0) await new Promise((resolve) => setImmediate(resolve))
    await turns(100)
    await tested.poller.stop(AbortSignal.abort())
    expect(tested.bodies).toEqual(['{"results":['])
    expect(tested.journal.entries[0]?.facts.complete).toBe('false')
  })

  it('takes back a request whose connection is not made yet', async () => {
    const { port, seen } = await provider(() => {}) // never answers the TLS handshake
    const tested = bench.poller(`https://127.0.0.1:${port}/notification`, { timeout: 60_000 })
    tested.poller.start()
    while (seen().requests === 0) await new Promise((resolve) => setImmediate(resolve))
    await tested.poller.stop()
    expect(tested.observer.last?.state).toBe('stopped')
  })

  it('ends a pause at once, and asks no more', async () => {
    const { url, seen } = await provider((socket) => socket.write(http('200 OK', EMPTY)))
    const tested = bench.poller(url)
    tested.poller.start()
    await tested.paused()
    await tested.poller.stop()
    await tested.clock.advance(10 * IDLE)
    expect(seen().requests).toBe(1)
  })

  it('before the start is no error', async () => {
    await bench.poller('http://127.0.0.1:1/').poller.stop()
  })
})
