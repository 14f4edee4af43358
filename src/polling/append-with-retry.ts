/**
 * Hands a page to the journal until it is taken. The provider has forgotten it: what we hold is the only copy, so a
 * refusal is waited out and never ends in dropping it, unless the process is being forced down.
 */
import type { Clock } from '../core/clock.js'
import { messageOf } from '../core/errors.js'
import type { Journal, NewEntry } from '../journal/journal.js'
import type { Log } from '../core/log.js'

const FIRST_DELAY = 250
const LONGEST_DELAY = 5_000
/** Tries between two lines in the log; about a minute. */
const TRIES_PER_LINE = 12

export interface AppendDeps {
  readonly journal: Pick<Journal, 'append'>
  readonly clock: Clock
  readonly log: Log
  /** Aborts when the process can't wait any longer. */
  readonly giveUp: AbortSignal
  /** Called when the journal begins to refuse. */
  readonly refused: (error: unknown) => void
}

/** Resolves with true once the entry is durable; false when given up, and then the page is lost. Never rejects. */
export const appendWithRetry = async (entry: NewEntry, deps: AppendDeps): Promise<boolean> => {
  const { journal, clock, log, giveUp } = deps
  const facts = { source: entry.source, bytes: entry.body.byteLength }
  let delay = FIRST_DELAY
  for (let tries = 1; ; tries++) {
    try {
      await journal.append(entry)
      if (tries > 1) log.info({ ...facts, tries }, 'the page is in the journal now')
      return true
    } catch (error) {
      deps.refused(error)
      if (giveUp.aborted) {
        log.error({ ...facts, tries, error: messageOf(error) }, 'page LOST: the journal refused it until shutdown')
        return false
      }
      if (tries % TRIES_PER_LINE === 1) {
        log.error(
          { ...facts, tries, error: messageOf(error) },
          'the journal refuses a page that the provider has forgotten: held in memory and tried again; free space for the journal, do not kill this process',
        )
      }
    }
    await clock.sleep(delay, giveUp)
    delay = Math.min(delay * 2, LONGEST_DELAY)
  }
}
