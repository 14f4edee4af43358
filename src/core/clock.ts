export const DAY_MS = 86_400_000

/** The longest time that a timer of Node.js waits: about 24 days. A longer timer would run at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1

/** Everything that waits or takes the time does so through a clock that it is given, so that no test has to wait. */
export interface Clock {
  /** Returns milliseconds since the epoch. The value may jump, for example when NTP sets the system's clock. */
  now(): number
  /** Returns milliseconds since an arbitrary moment. The value never decreases. */
  monotonic(): number
  /**
   * Resolves after `ms` milliseconds, or as soon as the signal aborts. Never rejects. A negative time is 0, and a time above
   * `MAX_TIMER_MS` is `MAX_TIMER_MS`.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const wake = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      // Node.js runs a timer at once if its delay is too long, and warns of a negative one.
      const timer = setTimeout(wake, Math.min(Math.max(0, ms), MAX_TIMER_MS))
      signal?.addEventListener('abort', wake)
    }),
}
