/** A callback server on a free port of 127.0.0.1 with a journal in memory, closed by the caller. */
import type { CallbackSourceOptions } from '../../src/callbacks/authentication.js'
import { CallbackServer, type CallbackServerOptions } from '../../src/callbacks/callback-server.js'
import { RecordingCallbackObserver, RecordingLog } from './recording-observers.js'
import { ManualClock } from './manual-clock.js'
import { MemoryJournal } from './memory-journal.js'

export interface TestedCallbacks {
  readonly server: CallbackServer
  readonly port: number
  readonly origin: string
  readonly journal: MemoryJournal
  readonly clock: ManualClock
  readonly log: RecordingLog
  readonly observer: RecordingCallbackObserver
}

export const OPEN: CallbackSourceOptions = { source: 'seven-main', provider: 'seven', open: true }

export const startCallbacks = async (
  sources: readonly CallbackSourceOptions[] = [OPEN],
  options: Partial<CallbackServerOptions> = {},
): Promise<TestedCallbacks> => {
  const clock = new ManualClock()
  const journal = new MemoryJournal(clock)
  const log = new RecordingLog()
  const observer = new RecordingCallbackObserver()
  const server = new CallbackServer(
    { host: '127.0.0.1', port: 0, bodyLimit: 1024 * 1024, trustProxy: false, sources, ...options },
    { journal, clock, log, observer },
  )
  const { port } = await server.listen()
  const scheme = options.tls === undefined ? 'http' : 'https'
  return { server, port, origin: `${scheme}://127.0.0.1:${port}`, journal, clock, log, observer }
}
