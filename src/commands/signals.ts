/** SIGTERM and SIGINT: the first one begins an orderly stop, the second one ends every wait. SIGHUP: the configuration is loaded again. */
import { setMaxListeners } from 'node:events'
import type { Log } from '../core/log.js'

const TERMINATION_SIGNALS = ['SIGTERM', 'SIGINT'] as const

/** Calls the listener for every SIGTERM and SIGINT. @returns a function that removes the listener */
export function onTermination(listener: (signal: string) => void): () => void {
  for (const signal of TERMINATION_SIGNALS) process.on(signal, listener)
  return () => {
    for (const signal of TERMINATION_SIGNALS) process.off(signal, listener)
  }
}

/**
 * @returns two signals. `stopSignal` aborts at the first SIGTERM or SIGINT: the process should stop receiving, finish what
 *   it is doing, and end. `forceSignal` aborts at the second one: the process should end without waiting. Everything in
 *   custody is safe either way.
 */
export function shutdownOnTermination(log: Pick<Log, 'info'>): Record<'stopSignal' | 'forceSignal', AbortSignal> {
  const stop = new AbortController()
  const force = new AbortController()
  // Each source that is being stopped listens to it.
  setMaxListeners(0, force.signal)
  onTermination((signal) => {
    if (stop.signal.aborted) {
      log.info({ event: 'signal-received', signal }, `received ${signal} again, stopping without waiting for anything`)
      force.abort()
    } else {
      log.info({ event: 'signal-received', signal }, `received ${signal}, stopping`)
      stop.abort()
    }
  })
  return { stopSignal: stop.signal, forceSignal: force.signal }
}

/** Calls the listener for every SIGHUP, which does not end the process any more. */
export function onHangup(listener: () => void): void {
  process.on('SIGHUP', listener)
}
