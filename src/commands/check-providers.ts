/** The part of `check` that concerns providers. It asks nothing that would make a provider forget an item. */
import type { Config, PullConfig, ReconcileConfig, SourceConfig } from '../config/types.js'
import { orTimeout } from '../core/abort.js'
import { systemClock as clock } from '../core/clock.js'
import { messageOf } from '../core/errors.js'
import { answerFacts, describeRedirect } from '../http-client/answer.js'
import { Connection } from '../http-client/connection.js'
import { openSocket } from '../http-client/open-socket.js'
import { proxyAddress, proxyFor } from '../http-client/proxy.js'
import { quote } from '../masking/known-secrets.js'
import { providers } from '../providers/index.js'

const TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 16 * 1024 * 1024

/** What was found out about an account: in a few words, and in sentences what was not. */
export interface AccountFinding {
  readonly result: string
  readonly warnings: readonly string[]
}

/**
 * Connects to the server of a queue, without a request: every request to a queue may empty it.
 * @throws Error if there is no connection
 */
export async function checkQueue(
  { name, provider }: SourceConfig,
  { url }: PullConfig,
  proxies: Config['proxy'],
): Promise<AccountFinding> {
  const address = new URL(url)
  const { origin } = address
  const proxy = proxyFor(address, proxies)
  const through = proxy === undefined ? '' : ` through the proxy ${proxyAddress(proxy)}`
  const opening = openSocket(address, { proxy })
  try {
    const socket = await orTimeout(opening.ready, TIMEOUT_MS, clock)
    if (socket === 'timeout') throw new Error(`no connection${through} within ${TIMEOUT_MS / 1_000} s`)
  } catch (error) {
    const key = `sources.${name}.pull.url`
    throw new Error(`${origin} can't be reached: ${quote(messageOf(error))}; see ${key}`, { cause: error })
  } finally {
    opening.destroy()
  }
  const warning =
    `sources.${name}.pull.username and password are not tested, because no request to ${provider} is known that takes ` +
    'nothing from the queue; a wrong one shows in the log and on the status page of run'
  return { result: `${origin} can be reached${through}`, warnings: [warning] }
}

/**
 * Asks for the first page of today's message log, which removes nothing at the provider.
 * @throws Error if the provider can't be reached or refuses the API key
 */
export async function checkReconciling(
  source: SourceConfig,
  account: ReconcileConfig,
  proxies: Config['proxy'],
): Promise<AccountFinding> {
  const protocol = providers.get(source.provider)?.reconcile
  if (protocol === undefined) throw new Error(`provider ${source.provider} cannot be reconciled`)
  const today = new Date(clock.now()).toISOString().slice(0, 10)
  const request = protocol.logRequest(account, 'outbound', { from: today, to: today }, 0)
  const url = new URL(request.url)
  const proxy = proxyFor(url, proxies)
  const connection = new Connection(url.origin, { timeout: TIMEOUT_MS, maxAnswer: MAX_ANSWER_BYTES, proxy })
  try {
    const answer = await connection.send(request)
    const keys = `sources.${source.name}.reconcile.url and apiKey`
    if (answer.kind === 'none') throw new Error(`${url.origin} does not answer: ${answer.detail}; see ${keys}`)
    const inspection = protocol.inspect({
      via: 'QUERY',
      receivedAt: clock.now(),
      facts: answerFacts(answer, request.method, url, [account.apiKey]),
      body: answer.body,
    })
    if (inspection.kind === 'answer') return { result: `${url.origin} accepts the API key`, warnings: [] }
    throw new Error(`${quote(inspection.detail)}${describeRedirect(answer, url, 'reconcile.url')}; see ${keys}`)
  } finally {
    connection.close()
  }
}
