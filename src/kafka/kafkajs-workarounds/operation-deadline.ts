/**
 * Gives up an operation of kafkajs that makes no progress.
 *
 * Defect: operations of kafkajs 2.2.4 consist of several requests one after the other, and some never settle, for example when
 * the other side closes a connection while it is being established. Effect: without a limit, publishing would hang for ever.
 * A limit for the whole operation would be wrong too: while responses arrive, however slowly, giving up would only make the next
 * attempt repeat what this one has done.
 *
 * This file can go when the client no longer is kafkajs.
 */
import type { Clock } from '../../core/clock.js'

/** Request timeouts without a byte after which an operation is given up; kafkajs needs one to connect and one to send. */
export const MAX_SILENT_TIMEOUTS = 3

export interface Deadline {
  /** Milliseconds without a byte from any broker after which the operation is given up. */
  readonly maxSilenceMs: number
  /** Milliseconds for the whole operation, even while brokers answer. */
  readonly maxTotalMs: number
  /** Returns when a byte was last received from a broker, in monotonic milliseconds. */
  readonly lastReceivedAt: () => number
}

/**
 * Settles like `operation`, or rejects at its deadline. The outcome of an operation that is given up is ignored.
 *
 * @param what the operation as the subject of the error message
 * @throws Error that names `what`
 */
export async function withDeadline<T>(
  operation: Promise<T>,
  { maxSilenceMs, maxTotalMs, lastReceivedAt }: Deadline,
  what: string,
  clock: Clock,
): Promise<T> {
  const settled = new AbortController()
  const startedAt = clock.monotonic()
  const deadline = async (): Promise<never> => {
    for (;;) {
      const now = clock.monotonic()
      const silentUntil = Math.max(startedAt, lastReceivedAt()) + maxSilenceMs
      if (now >= startedAt + maxTotalMs) {
        throw new Error(`${what} did not end within ${maxTotalMs} ms, although Kafka answers`)
      }
      if (now >= silentUntil) throw new Error(`${what} did not end: Kafka sent nothing for ${maxSilenceMs} ms`)
      await clock.sleep(Math.min(silentUntil, startedAt + maxTotalMs) - now, settled.signal)
      if (settled.signal.aborted) throw new Error('the operation has settled')
    }
  }
  const expired = deadline()
  // Aborting the sleep rejects this promise after nobody listens any more.
  expired.catch(() => undefined)
  try {
    return await Promise.race([operation, expired])
  } finally {
    operation.catch(() => undefined)
    settled.abort()
  }
}
