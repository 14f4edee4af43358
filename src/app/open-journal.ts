/** Opens the journal that the configuration names, as its only writer. */
import { parseEncryptionKey } from '../config/encryption-key.js'
import type { Config } from '../config/types.js'
import type { Clock } from '../core/clock.js'
import type { Log } from '../core/log.js'
import type { EncryptionKeys } from '../journal/entry-codec.js'
import { createJournalDirectory, inspectJournalDirectory } from '../journal/journal-directory.js'
import { LmdbJournal } from '../journal/lmdb-journal.js'

/** Room that stays free on the disk even without pulls, because LMDB needs some pages in order to release others. */
const MIN_RESERVE_BYTES = 16 * 1024 * 1024

/**
 * @param onOlderCopy as in `LmdbJournalOptions`
 * @throws ConnectorError CONFIG_INVALID if the directory can't hold a journal, or if a key is missing that an entry is encrypted with;
 *   JOURNAL_HELD, JOURNAL_UNUSABLE
 */
export async function openJournal(
  { journal, sources, duplicates }: Config,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  onOlderCopy?: (warning: string) => void,
): Promise<LmdbJournal> {
  const { directory, maxBytes, maxWatchedMessages } = journal
  if (!inspectJournalDirectory(directory)) createJournalDirectory(directory)
  const largestAnswer = Math.max(0, ...[...sources.values()].map(({ pull }) => pull?.maxAnswer ?? 0))
  return LmdbJournal.open({
    directory,
    maxBytes,
    maxWatchedMessages,
    reserveBytes: Math.max(largestAnswer, MIN_RESERVE_BYTES),
    duplicates: { rememberForMs: duplicates.remember, maxIds: duplicates.maxIds },
    encryption: encryptionKeysOf(journal),
    clock,
    log,
    ...(onOlderCopy && { onOlderCopy }),
  })
}

/** Returns the keys that the configuration names. */
export const encryptionKeysOf = ({ encryption }: Config['journal']): EncryptionKeys => {
  const { key, previousKeys = [] } = encryption ?? {}
  return {
    ...(key !== undefined && { key: parseEncryptionKey(key)! }),
    previousKeys: previousKeys.map((each) => parseEncryptionKey(each)!),
  }
}
