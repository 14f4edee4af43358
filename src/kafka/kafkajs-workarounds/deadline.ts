/** Nothing that a broker does is waited for without an end. */
import type { Clock } from '../../core/clock.js'

export interface Deadline {
  /** Milliseconds without a byte from any broker after which nothing more is expected. */
  readonly silence: number
  /** Milliseconds for all of it, even while brokers answer. */
  readonly longest: number
  /** When a broker was last heard of, in monotonic ms. */
  readonly heardAt: () => number
}

/**
 * An operation is several requests, one after the other: as long as their answers come, however slowly, giving it up
 * would only make the next attempt begin anew what this one has done.
 * @throws Error naming `what` when it takes longer; its own outcome is then nobody's concern any more
 */
export async function withDeadline<T>(
  operation: Promise<T>,
  { silence, longest, heardAt }: Deadline,
  what: string,
  clock: Clock,
): Promise<T> {
  const done = new AbortController()
  const began = clock.monotonic()
  const late = async (): Promise<never> => {
    for (;;) {
      const now = clock.monotonic()
      const quietAt = Math.max(began, heardAt()) + silence
      if (now >= began + longest) throw new Error(`${what} did not end within ${longest} ms, though Kafka answers`)
      if (now >= quietAt) throw new Error(`${what} did not end: nothing was heard of Kafka for ${silence} ms`)
      await clock.sleep(Math.min(quietAt, began + longest) - now, done.signal)
      if (done.signal.aborted) throw new Error('it has ended')
    }
  }
  const tooLate = late()
  tooLate.catch(() => undefined) // aborting the sleep lets it end too, after nobody listens
  try {
    return await Promise.race([operation, tooLate])
  } finally {
    operation.catch(() => undefined)
    done.abort()
  }
}
