/** Notices at the start that this journal has taken the place of another one of the same instance. */
import { resolve } from 'node:path'
import type { Config } from '../config/types.js'
import type { Clock } from '../core/clock.js'
import type { Log } from '../core/log.js'
import { Backoff, retry } from '../core/retry.js'
import type { LmdbJournal } from '../journal/lmdb-journal.js'
import { findOtherJournals, type OtherJournal } from '../kafka/other-journals.js'
import { kafkaSettings } from './publishing.js'

export interface JournalIdentityDeps {
  readonly journal: Pick<LmdbJournal, 'id' | 'releasedUpTo'>
  readonly clock: Clock
  readonly log: Log
}

/** The delays between attempts while Kafka is away. Publishing reports that it is. */
const BACKOFF = { firstMs: 5_000, longestMs: 60_000 }

/**
 * Asks Kafka, as soon as it can be reached, for positions of other journals of this instance.
 * @param currentConfig returns the configuration in use
 * @returns a warning if one of them was published later than this journal; null if none was, or if the signal aborts
 */
export async function findReplacedJournal(
  currentConfig: () => Config,
  { journal, clock, log }: JournalIdentityDeps,
  signal: AbortSignal,
): Promise<string | null> {
  // With `at-least-once` no position is stored.
  if (currentConfig().kafka.delivery !== 'exactly-once') return null
  // What this run publishes does not make the other journal an old one.
  const { releasedUpTo } = journal
  try {
    const others = await retry(() => findOtherJournals(kafkaSettings(currentConfig()), journal.id, clock, log), {
      clock,
      backoff: new Backoff(BACKOFF),
      signal,
      shouldRetry: () => true,
    })
    const later = others.filter(({ position }) => position > releasedUpTo).sort((a, b) => b.position - a.position)
    if (later.length === 0 || signal.aborted) return null
    return describeReplacement(later, { id: journal.id, isNew: releasedUpTo < 0 }, currentConfig())
  } catch {
    // The only error that ends the attempts is the abort.
    return null
  }
}

function describeReplacement(
  [latest, ...more]: readonly OtherJournal[],
  own: { readonly id: string; readonly isNew: boolean },
  { instance, journal }: Config,
): string {
  const { id, groupId, position } = latest!
  // Sequence numbers begin at the wall clock in microseconds.
  const since = new Date(position / 1_000).toISOString()
  const others = more.length === 0 ? '' : `, and of ${more.length} more`
  const state = own.isNew ? 'has published nothing yet' : 'was published before that the last time'
  return (
    `Kafka holds the position of another journal of instance "${instance}": journal ${id} in group ${groupId}, from a run that ` +
    `began about ${since}${others}. The journal in ${resolve(journal.directory)} is another one, ${own.id}, and ${state}. So the ` +
    'directory was replaced: its volume is new, was not mounted, or journal.directory was changed. What the other journal ' +
    'holds and had not published is not published from here, and the event ids that it remembers are not known here, so a ' +
    'repeated item is published again with the same eventId. If the other directory still exists, stop this process, set ' +
    `journal.directory to it, publish it with "run --drain" under the same instance, and set it back`
  )
}
