import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, describe, expect, it } from 'vitest'
import type { Socket } from 'node:net'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { turnUntil } from '../support/event-loop.js'
import { SocketServers } from '../support/socket-servers.js'
import { IDLE_DELAY_MS, PollerFixture } from '../support/poller.js'

const fixture = new PollerFixture()
const data = new ProviderData(8)
const servers = new SocketServers()

afterEach(async () => {
  await fixture.stopAll()
  await servers.closeAll()
})

/** Starts a server that calls `answer` with the socket of each request and the number of the request, from 1. */
const startServer = async (answer: (socket: Socket, request: number) => void) => {
  let requests = 0
  let connections = 0
  const answerRequest = (socket: Socket, request: number): void => {
    requests = request
    answer(socket, request)
  }
  const port = await servers.listen(answerRequest, { onConnection: () => connections++ })
  const url = `http://127.0.0.1:${port}/notification`
  return { url, port, counts: () => ({ requests, connections }), untilRequested: () => turnUntil(() => requests > 0) }
}

/** Resolves when the first bytes of an answer have been received. Called before the poller starts. */
const untilBytesArrive = (): Promise<void> =>
  new Promise((resolve) => {
    const onSocket = (message: unknown): void => {
      unsubscribe('net.client.socket', onSocket)
      const { socket } = message as { socket: Socket }
      socket.once('data', () => resolve())
    }
    subscribe('net.client.socket', onSocket)
  })

const httpAnswer = (status: string, body: string, headers = ''): string =>
  `HTTP/1.1 ${status}\r\ncontent-length: ${body.length}\r\n${headers}\r\n${body}`
/** `timeout` of the pollers in these tests. */
const TIMEOUT_MS = 5_000
const EMPTY_PAGE = '{"results":[]}'

describe('Poller sending a request', () => {
  it('sends it once, even if the connection dies without an answer', async () => {
    for (const die of [
      (socket: Socket) => socket.destroy(),
      (socket: Socket) => socket.resetAndDestroy(),
      (socket: Socket) => void socket.end(),
    ]) {
      const { url, counts } = await startServer(die)
      const tested = fixture.createPoller(url)
      tested.poller.start()
      expect(await tested.untilPaused()).toBeLessThanOrEqual(1_000)
      expect(counts()).toEqual({ requests: 1, connections: 1 })
      expect(tested.observer.outcomes).toEqual(['network-error'])
      expect(tested.journal.attempts).toBe(0)
    }
  })

  it('sends it once, even if the connection dies within the header section or behind it, and keeps what arrived', async () => {
    for (const part of ['HTTP/1.1 200 OK\r\ncontent-le', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n']) {
      const { url, counts } = await startServer((socket) => socket.end(part))
      const tested = fixture.createPoller(url)
      tested.poller.start()
      expect(await tested.untilPaused()).toBeLessThanOrEqual(1_000)
      expect(counts()).toEqual({ requests: 1, connections: 1 })
      expect(tested.observer.outcomes).toEqual(['cut'])
      expect(tested.bodies).toEqual([part])
    }
  })

  it('gives up when no byte of an answer comes within `timeout` and halves the page size, because a page may be lost', async () => {
    const { url, counts } = await startServer(() => {})
    const tested = fixture.createPoller(url, { timeout: 200 })
    tested.poller.start()
    await tested.untilPaused()
    expect(tested.observer.outcomes).toEqual(['timeout'])
    expect(tested.observer.pageSizes).toEqual([25])
    expect(counts().requests).toBe(1)
  })

  it('does not follow a redirect and reports where it points, without its query', async () => {
    const { url } = await startServer((socket) => {
      socket.write(httpAnswer('307 Temporary Redirect', '', 'location: /elsewhere?key=1\r\n'))
    })
    const tested = fixture.createPoller(url)
    tested.poller.start()
    await tested.untilPaused()
    expect(tested.observer.outcomes).toEqual(['account-error'])
    expect(tested.observer.lastState?.lastError).toMatch(
      /redirect to http:\/\/127\.0\.0\.1:\d+\/elsewhere is not followed/,
    )
    expect(tested.observer.lastState?.lastError).not.toContain('key')
  })

  it('uses one connection during a drain and a new one after each pause', async () => {
    const page = JSON.stringify({ results: data.mtargetReceipts(2) })
    const { url, counts } = await startServer((socket, request) => {
      socket.write(httpAnswer('200 OK', request % 4 === 0 ? EMPTY_PAGE : page))
    })
    const tested = fixture.createPoller(url)
    tested.poller.start()
    expect(await tested.untilPaused()).toBe(IDLE_DELAY_MS)
    expect(counts()).toEqual({ requests: 4, connections: 1 })
    await tested.untilNextPause()
    expect(counts()).toEqual({ requests: 8, connections: 2 })
  })

  it('reports a network error with the address when the provider can not be reached', async () => {
    const { url, port } = await startServer(() => {})
    await servers.closeAll()
    const tested = fixture.createPoller(url)
    tested.poller.start()
    await tested.untilPaused()
    expect(tested.observer.outcomes).toEqual(['network-error'])
    expect(tested.observer.lastState?.lastError).toContain(`ECONNREFUSED 127.0.0.1:${port}`)
  })

  it('accepts a 1xx response before the final one', async () => {
    const { url } = await startServer((socket) => {
      socket.write(`HTTP/1.1 102 Processing\r\n\r\n${httpAnswer('200 OK', EMPTY_PAGE)}`)
    })
    const tested = fixture.createPoller(url)
    tested.poller.start()
    expect(await tested.untilPaused()).toBe(IDLE_DELAY_MS)
  })

  it('stores what arrived of a chunked answer that breaks off inside a chunk', async () => {
    const { url } = await startServer((socket) => {
      socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"res\r\nff\r\nults')
    })
    const tested = fixture.createPoller(url)
    tested.poller.start()
    await tested.untilPaused()
    expect(tested.bodies).toEqual(['{"results'])
    expect(tested.journal.entries[0]?.facts.complete).toBe('false')
  })

  it('stores all bytes of an answer in which bytes that are not HTTP follow', async () => {
    const { url } = await startServer((socket) => {
      socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"res\r\nnonsense\r\n')
    })
    const tested = fixture.createPoller(url)
    tested.poller.start()
    await tested.untilPaused()
    expect(tested.bodies).toEqual(['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"res\r\nnonsense\r\n'])
  })
})

describe('Poller.stop', () => {
  it('waits until the answer to the present request is durable', async () => {
    const page = JSON.stringify({ results: data.mtargetReceipts(2) })
    let answer = (): void => {}
    const { url, counts, untilRequested } = await startServer((socket) => {
      answer = () => socket.write(httpAnswer('200 OK', page))
    })
    const tested = fixture.createPoller(url)
    tested.poller.start()
    await untilRequested()
    let isStopped = false
    const stop = tested.poller.stop().then(() => {
      isStopped = true
    })
    await tested.clock.advance(TIMEOUT_MS - 1)
    expect(isStopped).toBe(false)
    answer()
    await stop
    expect(tested.bodies).toEqual([page])
    expect(counts().requests).toBe(1)
    expect(tested.observer.lastState?.state).toBe('stopped')
  })

  it('waits at most `timeout` and stores what has arrived by then', async () => {
    const arrived = untilBytesArrive()
    const { url } = await startServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"results":[')
    })
    const tested = fixture.createPoller(url)
    tested.poller.start()
    await arrived
    const stopped = tested.poller.stop()
    await tested.clock.advance(TIMEOUT_MS)
    await stopped
    expect(tested.bodies).toEqual(['{"results":['])
  })

  it('stores what has arrived at once when the shutdown is forced', async () => {
    const arrived = untilBytesArrive()
    const { url } = await startServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"results":[')
    })
    const tested = fixture.createPoller(url)
    tested.poller.start()
    await arrived
    await tested.poller.stop(AbortSignal.abort())
    expect(tested.bodies).toEqual(['{"results":['])
    expect(tested.journal.entries[0]?.facts.complete).toBe('false')
  })

  it('cancels a request whose connection is not established yet', async () => {
    const { port, untilRequested } = await startServer(() => {}) // It never answers the TLS handshake.
    const tested = fixture.createPoller(`https://127.0.0.1:${port}/notification`, { timeout: 60_000 })
    tested.poller.start()
    await untilRequested()
    await tested.poller.stop()
    expect(tested.observer.lastState?.state).toBe('stopped')
  })

  it('ends a pause at once and sends no further request', async () => {
    const { url, counts } = await startServer((socket) => socket.write(httpAnswer('200 OK', EMPTY_PAGE)))
    const tested = fixture.createPoller(url)
    tested.poller.start()
    await tested.untilPaused()
    await tested.poller.stop()
    await tested.clock.advance(10 * IDLE_DELAY_MS)
    expect(counts().requests).toBe(1)
  })

  it('resolves when the poller was never started', async () => {
    await fixture.createPoller('http://127.0.0.1:1/').poller.stop()
  })
})
