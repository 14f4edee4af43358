import type { Clock } from '../core/clock.js'
import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { Backoff, retry } from '../core/retry.js'
import type { Journal, NewEntry } from '../journal/journal.js'

const FIRST_DELAY_MS = 250
const LONGEST_DELAY_MS = 5_000
/** About a minute of attempts. */
const ATTEMPTS_PER_LOG_LINE = 12

export interface AppendDeps {
  readonly journal: Pick<Journal, 'append'>
  readonly clock: Clock
  readonly log: Log
  /** Aborts when the process must end now. */
  readonly forceSignal: AbortSignal
  /** Called after each refusal of the journal. */
  readonly onRefused: () => void
}

/**
 * Appends a page to the journal and retries until the journal accepts it. The provider has already forgotten the page, so
 * memory holds the only copy: it is dropped only when the shutdown is forced and one last attempt has failed.
 *
 * Resolves with true once the page is durable, and with false if it is lost. Never rejects.
 */
export const appendWithRetry = async (entry: NewEntry, deps: AppendDeps): Promise<boolean> => {
  const { journal, clock, log, forceSignal, onRefused } = deps
  const facts = { source: entry.source, bytes: entry.body.byteLength }
  let attempts = 0
  const append = (): Promise<number> => {
    attempts++
    return journal.append(entry)
  }
  const shouldRetry = (error: unknown): boolean => {
    onRefused()
    if (attempts % ATTEMPTS_PER_LOG_LINE === 1) {
      log.error(
        { ...facts, attempts, error: messageOf(error) },
        'the journal refuses a page that the provider has already forgotten; it is held in memory and retried: ' +
          'free space for the journal and do not kill this process',
      )
    }
    return true
  }
  const backoff = new Backoff({ firstMs: FIRST_DELAY_MS, longestMs: LONGEST_DELAY_MS })
  try {
    // `retry` rejects only when the shutdown is forced. One last attempt follows.
    await retry(append, { clock, backoff, signal: forceSignal, shouldRetry }).catch(append)
  } catch (error) {
    log.error({ ...facts, attempts, error: messageOf(error) }, 'page LOST: the journal refused it until the shutdown')
    return false
  }
  if (attempts > 1) log.info({ ...facts, attempts }, 'the journal has accepted the page that it refused before')
  return true
}
