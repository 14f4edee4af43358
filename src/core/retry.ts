/** Repeats operations that fail: the delays between the attempts, and the loop around them. */
import type { Clock } from './clock.js'

export interface BackoffOptions {
  /** The delay before the second attempt, in milliseconds. */
  readonly firstMs: number
  /** The longest delay between two attempts, in milliseconds. */
  readonly longestMs: number
  /**
   * Returns a number in [0, 1). With it the upper half of each delay is random, so that clients that failed together
   * don't return together. Without it each delay is exactly twice the one before.
   */
  readonly random?: () => number
}

/** Computes delays that double with each failure, from `firstMs` up to `longestMs`. */
export class Backoff {
  readonly #options: BackoffOptions
  #failures = 0

  constructor(options: BackoffOptions) {
    this.#options = options
  }

  /**
   * Returns the delay before the next attempt, in milliseconds.
   * @param minimumMs the delay that the other side asks for (`Retry-After`); it is honoured up to `longestMs`
   */
  next(minimumMs = 0): number {
    const { firstMs, longestMs, random } = this.#options
    const ceiling = Math.min(longestMs, firstMs * 2 ** Math.min(this.#failures, 30))
    this.#failures++
    const delay = random === undefined ? ceiling : Math.ceil(ceiling / 2 + (random() * ceiling) / 2)
    return Math.min(longestMs, Math.max(delay, minimumMs))
  }

  /** Makes `firstMs` the next delay again. */
  reset(): void {
    this.#failures = 0
  }
}

export interface RetryOptions {
  readonly clock: Clock
  readonly backoff: Backoff
  /** Ends the wait between two attempts. `retry` then throws the last error. */
  readonly signal?: AbortSignal
  /**
   * Called after each failed attempt with the number of attempts so far. Returns whether another attempt is to be made;
   * if not, `retry` throws the error.
   */
  readonly shouldRetry: (error: unknown, attempts: number) => boolean
}

/** Runs `attempt` until it succeeds, `shouldRetry` returns false, or the signal aborts. @throws the last error */
export async function retry<T>(
  attempt: () => Promise<T>,
  { clock, backoff, signal, shouldRetry }: RetryOptions,
): Promise<T> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt()
    } catch (error) {
      if (!shouldRetry(error, attempts) || signal?.aborted) throw error
      await clock.sleep(backoff.next(), signal)
      if (signal?.aborted) throw error
    }
  }
}
