/** Waiting for conditions that another process brings about, and that can only be polled. */
import { setTimeout as delay } from 'node:timers/promises'

const POLL_INTERVAL_MS = 50

/**
 * Resolves as soon as `isTrue` returns true.
 * @throws Error that shows the condition, when it has not become true within `timeoutMs`
 */
export async function until(isTrue: () => Promise<boolean> | boolean, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await isTrue())) {
    if (Date.now() > deadline) {
      throw new Error(`this condition did not become true within ${timeoutMs} ms: ${isTrue.toString()}`)
    }
    await delay(POLL_INTERVAL_MS)
  }
}

/**
 * Repeats `attempt` until it succeeds.
 * @param assertPossible called before each attempt; throws when further attempts are useless, for example after the
 *   process that should answer has ended
 * @throws the error of the last attempt after `timeoutMs`, or the error of `assertPossible`
 */
export async function retryFor<T>(
  attempt: () => Promise<T>,
  timeoutMs: number,
  assertPossible?: () => void,
): Promise<T> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    assertPossible?.()
    try {
      return await attempt()
    } catch (error) {
      if (Date.now() >= deadline) throw error
      await delay(POLL_INTERVAL_MS)
    }
  }
}
