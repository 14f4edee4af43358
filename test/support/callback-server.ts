/** A callback server on a free port of 127.0.0.1 with a journal in memory. The test closes it. */
import { CallbackServer, type CallbackServerOptions } from '../../src/callbacks/callback-server.js'
import { PROVIDERS } from '../../src/config/provider-traits.js'
import type { CallbackConfig, SourceConfig } from '../../src/config/types.js'
import type { Tracing } from '../../src/core/tracing.js'
import { ManualClock } from './manual-clock.js'
import { MemoryJournal } from './memory-journal.js'
import { RecordingCallbackObserver, RecordingLog } from './recording-observers.js'

export interface TestedCallbackServer {
  readonly server: CallbackServer
  readonly port: number
  readonly origin: string
  readonly journal: MemoryJournal
  readonly clock: ManualClock
  readonly log: RecordingLog
  readonly observer: RecordingCallbackObserver
}

type CallbackSource = Pick<SourceConfig, 'name' | 'provider' | 'callback'>

/** A secret as it may be written: one text, or a list of one or two. */
type WrittenSecret = string | readonly string[]

/** The section `callback` as it may be written, except that durations are in milliseconds. */
export interface CallbackKeys extends Partial<
  Omit<CallbackConfig, 'token' | 'basic' | 'signingKey' | 'signature' | 'publicUrl' | 'answer'>
> {
  readonly token?: WrittenSecret
  readonly basic?: { readonly username: string; readonly password: WrittenSecret }
  readonly signingKey?: WrittenSecret
  readonly publicUrl?: string
  readonly answer?: Partial<NonNullable<CallbackConfig['answer']>>
}

const listOf = (secret: WrittenSecret): readonly string[] => [secret].flat()

/** Returns a source whose section `callback` has these keys. Those that are left out have the configuration's defaults. */
export const callbackSource = (
  name: string,
  { token, basic, signingKey, answer, ...keys }: CallbackKeys,
  provider: SourceConfig['provider'] = 'seven',
): CallbackSource => ({
  name,
  provider,
  callback: {
    open: false,
    signatureMaxAge: 96 * 3_600_000,
    ...keys,
    ...(token !== undefined && { token: listOf(token) }),
    ...(basic && { basic: { ...basic, password: listOf(basic.password) } }),
    ...(signingKey !== undefined && { signature: PROVIDERS.seven.signature, signingKey: listOf(signingKey) }),
    ...(answer && { answer: { status: 200, ...answer } }),
  } as CallbackConfig,
})

export const OPEN_SOURCE = callbackSource('seven-main', { open: true })

export const startCallbackServer = async (
  sources: readonly CallbackSource[] = [OPEN_SOURCE],
  options: Partial<CallbackServerOptions> = {},
  tracing?: Tracing,
  clock = new ManualClock(),
): Promise<TestedCallbackServer> => {
  const journal = new MemoryJournal(clock)
  const log = new RecordingLog()
  const observer = new RecordingCallbackObserver()
  const server = new CallbackServer(
    {
      host: '127.0.0.1',
      port: 0,
      bodyLimit: 1024 * 1024,
      trustProxy: false,
      maxConnections: 10_000,
      maxRefusedPerMinute: 1_000,
      sources,
      ...options,
    },
    { journal, clock, log, observer, tracing },
  )
  const { port } = await server.listen()
  const scheme = options.tls === undefined ? 'http' : 'https'
  return { server, port, origin: `${scheme}://127.0.0.1:${port}`, journal, clock, log, observer }
}

/** Closes a server, and the connections that are still open, without waiting. */
export const closeNow = async ({ server, clock }: TestedCallbackServer): Promise<void> => {
  const closed = server.close(0)
  await clock.advance(0)
  await closed
}
