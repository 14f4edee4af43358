/**
 * Sends requests that may be repeated, to the schema registry and to token endpoints: with the TLS of the configuration, and
 * through a proxy where one applies. An https address is reached through a tunnel. The request to an http address goes to the
 * proxy itself (RFC 9112, section 3.2.2), because many proxies open no tunnels to the ports of plain HTTP.
 */
import { Agent } from 'undici'
import { openSocket, type SocketOptions } from './open-socket.js'
import { proxyAddress, proxyAuthorization, proxyFor, refusedByProxy, unreachableProxy } from './proxy.js'
import type { ProxySettings } from './settings.js'
import type { ClientTls } from './settings.js'

export interface HttpClientOptions {
  readonly tls?: ClientTls | undefined
  readonly proxy?: ProxySettings | undefined
  /** The time for one request, from connecting to the last byte. */
  readonly timeoutMs: number
  readonly maxAnswerBytes: number
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  /** Instead of that of the client. */
  readonly timeoutMs?: number
}

export interface HttpTextAnswer {
  readonly status: number
  readonly text: string
  /** The header `Date`; undefined if there is none. */
  readonly date: string | undefined
  /** The proxy that the answer came through, if it was no tunnel; it may have answered by itself. */
  readonly forwardedBy: string | undefined
}

/** Few connections suffice: requests are rare, and none waits for another for long. */
const MAX_CONNECTIONS = 2

export class HttpClient {
  readonly #options: HttpClientOptions
  /** Connects to servers, through tunnels where a proxy applies. */
  readonly #agent: Agent
  /** Connects to the proxy for http addresses. */
  readonly #forwardingAgent: Agent
  #tlsSession: Buffer | undefined

  constructor(options: HttpClientOptions) {
    const { tls, proxy: proxies } = options
    this.#options = options
    this.#agent = this.#createAgent((address) => ({
      tls,
      proxy: proxyFor(address, proxies),
      tlsSession: this.#tlsSession,
      onTlsSession: (session) => {
        this.#tlsSession = session
      },
    }))
    this.#forwardingAgent = this.#createAgent(() => ({ tls: proxies?.http?.tls }))
  }

  /**
   * Returns the answer, whatever its status.
   * @throws ProxyError if the proxy refuses or can't be reached; Error with code UND_ERR_RES_EXCEEDED_MAX_SIZE; any other Error
   *   of the connection
   */
  async send(request: HttpRequest): Promise<HttpTextAnswer> {
    const address = new URL(request.url)
    const proxy = address.protocol === 'http:' ? proxyFor(address, this.#options.proxy) : undefined
    if (proxy === undefined) {
      const path = `${address.pathname}${address.search}`
      return this.#exchange(this.#agent, { ...request, origin: address.origin, path })
    }
    const authorization = proxyAuthorization(proxy)
    const headers = {
      ...request.headers,
      host: address.host,
      ...(authorization !== undefined && { 'proxy-authorization': authorization }),
    }
    const forwarded = { ...request, headers, origin: proxyAddress(proxy), path: address.href }
    const answer = await this.#exchange(this.#forwardingAgent, forwarded).catch((error: unknown) => {
      throw hasAnswered(error) ? error : unreachableProxy(proxy, address.host, error)
    })
    if (answer.status === 407) throw refusedByProxy(proxy, address.host, 407)
    return { ...answer, forwardedBy: proxyAddress(proxy) }
  }

  /** Ends the requests under way, and refuses others. */
  async close(): Promise<void> {
    await Promise.all([this.#agent.destroy(), this.#forwardingAgent.destroy()])
  }

  async #exchange(
    agent: Agent,
    {
      method,
      origin,
      path,
      headers,
      body,
      timeoutMs,
    }: HttpRequest & { readonly origin: string; readonly path: string },
  ): Promise<HttpTextAnswer> {
    const answer = await agent.request({
      method,
      origin,
      path,
      headers,
      body: body ?? null,
      signal: AbortSignal.timeout(timeoutMs ?? this.#options.timeoutMs),
    })
    const { date } = answer.headers
    return {
      status: answer.statusCode,
      text: await answer.body.text(),
      date: typeof date === 'string' ? date : undefined,
      forwardedBy: undefined,
    }
  }

  /** @param optionsFor returns how to connect to an address of which scheme, host and port are set */
  #createAgent(optionsFor: (address: URL) => SocketOptions): Agent {
    const { timeoutMs, maxAnswerBytes } = this.#options
    return new Agent({
      connections: MAX_CONNECTIONS,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      maxResponseSize: maxAnswerBytes,
      connect: ({ protocol, host = '' }, callback) => {
        const address = new URL(`${protocol}//${host}`)
        const opening = openSocket(address, optionsFor(address))
        const timer = setTimeout(() => opening.destroy(), timeoutMs)
        opening.ready
          .then(
            (socket) => callback(null, socket),
            (error: Error) => callback(error, null),
          )
          .finally(() => clearTimeout(timer))
      },
    })
  }
}

/** Whether the error is one of the answer, so that the connection was made. */
const hasAnswered = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE'
