import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { ConnectProxy } from '../support/connect-proxy.js'
import { PollerFixture } from '../support/poller.js'
import { SocketServers } from '../support/socket-servers.js'

const fixture = new PollerFixture()
const servers = new SocketServers()
const proxies: ConnectProxy[] = []
afterEach(async () => {
  await fixture.stopAll()
  await servers.closeAll()
  await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()))
})

const startProxy = async (): Promise<ConnectProxy> => {
  const proxy = await ConnectProxy.start()
  proxies.push(proxy)
  return proxy
}

const settingsOf = (proxy: ConnectProxy) => ({
  url: proxy.url,
  username: 'us:er',
  password: 'pass',
  origin: 'proxy.url',
})
const EMPTY_PAGE = '{"results":[]}'
const PAGE = JSON.stringify({ results: new ProviderData(3).mtargetReceipts(2) })

describe('Poller behind a proxy', () => {
  it('empties a queue through one tunnel, with the credentials of the proxy', async () => {
    const proxy = await startProxy()
    const queue = await fixture.startSimulator()
    queue.enqueue(new ProviderData(5).mtargetReceipts(120))
    const tested = fixture.createPoller(queue.url, { proxy: settingsOf(proxy) })
    tested.poller.start()
    await tested.untilPaused()
    expect(queue.queued).toBe(0)
    expect(tested.observer.outcomes.at(-1)).toBe('empty')
    expect(proxy.targets).toEqual([new URL(queue.url).host])
    expect(proxy.authorizations).toEqual([`Basic ${Buffer.from('us:er:pass').toString('base64')}`])
  })

  it('opens another tunnel after a pause, because an idle socket may be dead', async () => {
    const proxy = await startProxy()
    const queue = await fixture.startSimulator()
    const tested = fixture.createPoller(queue.url, { proxy: settingsOf(proxy) })
    tested.poller.start()
    await tested.untilNextPause()
    expect(proxy.targets).toHaveLength(2)
  })

  it.each([
    [{ status: 407 }, 'answers 407 Proxy Authentication Required for', 'check proxy.username and proxy.password'],
    [{ status: 403 }, 'answers 403 Forbidden for', 'list the host in proxy.noProxy'],
    [{ status: 502, body: PAGE }, 'answers 502 Bad Gateway for', "the proxy can't reach the server"],
    ['garbage' as const, 'its answer is not one of an HTTP proxy', 'check proxy.url'],
    ['close' as const, 'it has closed the connection without an answer', 'check proxy.url'],
  ])(
    'reports the refusal %j as one of the proxy, sends nothing, and keeps nothing',
    async (refusal, problem, advice) => {
      const proxy = await startProxy()
      proxy.refusal = refusal
      const queue = await fixture.startSimulator()
      queue.enqueue(new ProviderData(5).mtargetReceipts(3))
      const tested = fixture.createPoller(queue.url, { proxy: settingsOf(proxy) })
      tested.poller.start()
      await tested.untilPaused()
      expect(tested.observer.outcomes).toEqual(['network-error'])
      expect(queue.answers).toEqual([])
      expect(queue.queued).toBe(3)
      expect(tested.journal.attempts).toBe(0)
      expect(tested.observer.losses).toEqual([])
      const text = JSON.stringify(tested.log.lines)
      expect(text).toContain(`the proxy ${proxy.url}`)
      expect(text).toContain(problem)
      expect(text).toContain(advice)
      expect(text).not.toContain('"pass"')
    },
  )

  it('names the proxy that does not open a tunnel in time', async () => {
    const proxy = await startProxy()
    proxy.refusal = 'silence'
    const tested = fixture.createPoller('http://queue.example/notification', { proxy: settingsOf(proxy), timeout: 200 })
    tested.poller.start()
    await tested.untilPaused()
    expect(tested.observer.outcomes).toEqual(['timeout'])
    expect(tested.observer.losses).toEqual([])
    expect(JSON.stringify(tested.log.lines)).toContain(`while the proxy ${proxy.url} opened the tunnel`)
  })

  it('keeps every byte that the provider sends through the tunnel, also what its framing does not announce', async () => {
    const proxy = await startProxy()
    proxy.interimAnswer = 'HTTP/1.1 100 Continue\r\n\r\n'
    let requests = 0
    const port = await servers.listen((socket: Socket) => {
      requests++
      if (requests > 1)
        return socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${EMPTY_PAGE.length}\r\n\r\n${EMPTY_PAGE}`)
      return socket.end(`HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n${PAGE}`)
    })
    const tested = fixture.createPoller(`http://127.0.0.1:${port}/notification`, { proxy: settingsOf(proxy) })
    tested.poller.start()
    await tested.untilPaused()
    expect(tested.bodies.join('')).toContain(PAGE)
  })
})
