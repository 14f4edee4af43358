/** Lets the event loop turn until the condition holds, for conditions that no event reports. */
export const turnUntil = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

/** More turns than any chain of promise reactions in the tests takes that needs neither a timer nor another process. */
const IDLE_TURNS = 50

/**
 * Lets everything happen that can happen without a timer. Only for showing that something does not happen: an absence has no
 * condition to wait for.
 */
export const turnUntilIdle = async (): Promise<void> => {
  for (let turn = 0; turn < IDLE_TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/** Resolves with whether the promise is still pending after everything has happened that can happen without a timer. */
export const staysPending = async (promise: Promise<unknown>): Promise<boolean> => {
  const idle = turnUntilIdle().then(() => true)
  const settled = promise.then(
    () => false,
    () => false,
  )
  return Promise.race([settled, idle])
}
