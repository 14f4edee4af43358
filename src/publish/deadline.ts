/** Nothing that a broker does is waited for without an end. */
import type { Clock } from '../clock.js'

/** @throws Error naming `what` when it takes longer than `ms`; its own outcome is then nobody's concern any more */
export async function within<T>(operation: Promise<T>, ms: number, what: string, clock: Clock): Promise<T> {
  const done = new AbortController()
  const late = clock.sleep(ms, done.signal).then((): never => {
    throw new Error(`${what} did not end within ${ms} ms`)
  })
  late.catch(() => undefined) // aborting the sleep lets it end too, after nobody listens
  try {
    return await Promise.race([operation, late])
  } finally {
    operation.catch(() => undefined)
    done.abort()
  }
}
