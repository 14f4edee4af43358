/** Opens the journal that the configuration names, as its only writer. */
import type { Config } from '../config/types.js'
import type { Clock } from '../core/clock.js'
import type { Log } from '../core/log.js'
import { createJournalDirectory, inspectJournalDirectory } from '../journal/journal-directory.js'
import { LmdbJournal } from '../journal/lmdb-journal.js'

/** Room that stays free on the disk even without pulls, because LMDB needs some pages in order to release others. */
const MIN_RESERVE_BYTES = 16 * 1024 * 1024

/**
 * @param onOlderCopy as in `LmdbJournalOptions`
 * @throws ConnectorError CONFIG_INVALID if the directory can't hold a journal; JOURNAL_HELD, JOURNAL_UNUSABLE
 */
export async function openJournal(
  { journal: { directory, maxBytes }, sources, duplicates }: Config,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  onOlderCopy?: (warning: string) => void,
): Promise<LmdbJournal> {
  if (!inspectJournalDirectory(directory)) createJournalDirectory(directory)
  const largestAnswer = Math.max(0, ...[...sources.values()].map(({ pull }) => pull?.maxAnswer ?? 0))
  return LmdbJournal.open({
    directory,
    maxBytes,
    reserveBytes: Math.max(largestAnswer, MIN_RESERVE_BYTES),
    duplicates: { rememberForMs: duplicates.remember, maxIds: duplicates.maxIds },
    clock,
    log,
    ...(onOlderCopy && { onOlderCopy }),
  })
}
