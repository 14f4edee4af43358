/**
 * Waits that can end early. A bare `Promise.race` leaves its listeners and timers behind, and a later rejection of the
 * promise that lost ends the process as unhandled. Every race against a signal or a timeout therefore uses these helpers.
 */
import type { Clock } from './clock.js'

/** Resolves as soon as the signal aborts, or at once if it has already aborted. */
export const untilAborted = (signal: AbortSignal): Promise<'aborted'> =>
  orAborted(new Promise<never>(() => undefined), signal)

/**
 * Settles like `promise`, or resolves with `'aborted'` as soon as the signal aborts. A rejection of `promise` after that
 * is ignored.
 */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | 'aborted'> {
  let onAbort = (): void => undefined
  const aborted = new Promise<'aborted'>((resolve) => {
    onAbort = () => resolve('aborted')
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort)
  })
  promise.catch(() => undefined)
  try {
    return await Promise.race([aborted, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Settles like `promise`, or resolves with `'timeout'` after `ms` milliseconds. A rejection after that is ignored. */
export async function orTimeout<T>(promise: Promise<T>, ms: number, clock: Clock): Promise<T | 'timeout'> {
  const settled = new AbortController()
  const timeout = clock.sleep(ms, settled.signal).then(() => 'timeout' as const)
  promise.catch(() => undefined)
  try {
    return await Promise.race([promise, timeout])
  } finally {
    // With a reason of its own no DOMException has to be made, which takes longer than all the rest.
    settled.abort(SETTLED)
  }
}

const SETTLED = 'settled'
