/**
 * Reads a journal beside the connector that holds it, or on a volume that was left behind. Nothing is written: no lock is taken,
 * and no file is made.
 */
import { readdirSync, statSync } from 'node:fs'
import { Unpackr } from 'msgpackr'
import { ConnectorError, messageOf } from '../core/errors.js'
import { DamagedDataFileError, DataFileReader } from './data-file-reader.js'
import { type EncryptionKeys, EntryCodec, keyIdOf, type StoredValue, UnreadableEntryError } from './entry-codec.js'
import { dataFileOf } from './environment.js'
import type { Entry } from './journal.js'
import { fromStoredEntry } from './stored-entry.js'

/** An entry, or a sentence that says why its value can't be read. */
export type ReadEntry = { readonly seq: number; readonly encryption: EntryEncryption } & (
  { readonly entry: Entry } | { readonly problem: string }
)

/** Whether the key is given is only known for an encrypted entry. */
export interface EntryEncryption {
  /** The id of the key that the entry is encrypted with; null for a plain one, and where damage hides it. */
  readonly keyId: string | null
  readonly isKeyMissing: boolean
}

/** What a journal holds beside its entries. */
export interface JournalSizes {
  readonly entries: number
  /** Bytes that the entries take on the disk. */
  readonly entryBytes: number
  readonly eventIds: number
  readonly watchedMessages: number
  readonly nonces: number
}

const NO_KEY = Buffer.alloc(0)
const EMPTY = { entries: 0, bytes: 0 }

export class JournalReader {
  readonly directory: string
  readonly dataFile: string
  /** The id of the journal. */
  readonly id: string
  readonly #file: DataFileReader
  readonly #entryCodec: EntryCodec
  /** lmdb-js encodes values in the same way, without a dictionary that values share. */
  readonly #unpackr = new Unpackr({ copyBuffers: true })

  /**
   * @param keys the keys that entries can be decrypted with; everything else can be read without them
   * @throws ConnectorError NO_JOURNAL if the directory holds none; JOURNAL_UNUSABLE if it can't be read or is damaged
   */
  static open(directory: string, keys: EncryptionKeys = {}): JournalReader {
    const dataFile = dataFileOf(directory)
    return translateErrors(directory, () => {
      assertHoldsJournal(directory, dataFile)
      return new JournalReader(directory, dataFile, keys)
    })
  }

  private constructor(directory: string, dataFile: string, keys: EncryptionKeys) {
    this.directory = directory
    this.dataFile = dataFile
    this.#file = new DataFileReader(dataFile)
    try {
      const id = this.#readMeta('id')
      // The file is made before the id is written to it.
      if (typeof id !== 'string') throw noJournalError(directory, `${dataFile} does not hold the id of a journal`)
      this.id = id
      this.#entryCodec = new EntryCodec(id, keys)
    } catch (error) {
      this.#file.close()
      throw error
    }
  }

  /** The last sequence number that was released; -1 before the first release. @throws ConnectorError JOURNAL_UNUSABLE */
  get releasedUpTo(): number {
    return translateErrors(this.directory, () => Number(this.#readMeta('released') ?? -1))
  }

  /** The id of the key that new entries are encrypted with by the keys that were given; null if they are written plain. */
  get currentKeyId(): string | null {
    return this.#entryCodec.currentKeyId
  }

  /**
   * Returns the number of entries for each of the keys that are missing. It is known without reading the entries if all keys are
   * given.
   * @throws ConnectorError JOURNAL_UNUSABLE
   */
  countByMissingKey(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    const stored = translateErrors(this.directory, () => this.#readMeta('encryptionKeys'))
    const keyIds = typeof stored === 'string' && stored !== '' ? stored.split(',') : []
    if (keyIds.every((keyId) => this.#entryCodec.hasKey(keyId))) return counts
    for (const { encryption } of this.entries()) {
      const { keyId, isKeyMissing } = encryption
      if (keyId !== null && isKeyMissing) counts.set(keyId, (counts.get(keyId) ?? 0) + 1)
    }
    return counts
  }

  /** @throws ConnectorError JOURNAL_UNUSABLE */
  get sizes(): JournalSizes {
    return translateErrors(this.directory, () => {
      const { entries, bytes: entryBytes } = this.#file.size('entries') ?? EMPTY
      const countOf = (database: string): number => (this.#file.size(database) ?? EMPTY).entries
      return {
        entries,
        entryBytes,
        eventIds: countOf('ids'),
        watchedMessages: countOf('watch'),
        nonces: countOf('nonces'),
      }
    })
  }

  /** Bytes of the data file. */
  get fileBytes(): number {
    return translateErrors(this.directory, () => statSync(this.dataFile).size)
  }

  /** The sequence number of the last entry; -1 in an empty journal. @throws ConnectorError JOURNAL_UNUSABLE */
  get lastSeq(): number {
    return translateErrors(this.directory, () => {
      const key = this.#file.lastKey('entries')
      return key === undefined ? -1 : decodeSeq(key)
    })
  }

  /**
   * Returns the entries in their order. Entries that are released meanwhile may be left out. One entry at a time is in memory.
   * @param upTo the last sequence number, so that the reading ends also where entries keep arriving
   * @throws ConnectorError JOURNAL_UNUSABLE
   */
  *entries(upTo = this.lastSeq): Generator<ReadEntry, void, undefined> {
    const pairs = this.#file.scan('entries', NO_KEY)
    for (;;) {
      const next = translateErrors(this.directory, () => pairs.next())
      if (next.done) return
      const seq = decodeSeq(next.value.key)
      if (seq > upTo) return
      yield this.#decode(seq, next.value.value)
    }
  }

  close(): void {
    this.#file.close()
  }

  #decode(seq: number, value: Buffer): ReadEntry {
    let keyId: string | null = null
    try {
      const stored = this.#unpackr.unpack(value) as StoredValue
      keyId = keyIdOf(stored)
      const entry = { ...fromStoredEntry(this.#entryCodec.decode(stored, seq)), seq }
      return { seq, encryption: { keyId, isKeyMissing: false }, entry }
    } catch (error) {
      const isKeyMissing = error instanceof UnreadableEntryError && error.missingKeyId !== null
      const problem = isKeyMissing
        ? error.message
        : `its ${value.length} bytes in ${this.dataFile} are damaged: ${messageOf(error)}`
      return { seq, encryption: { keyId, isKeyMissing }, problem }
    }
  }

  #readMeta(key: string): unknown {
    const value = this.#file.get('meta', Buffer.from(key))
    return value === undefined ? undefined : (this.#unpackr.unpack(value) as unknown)
  }
}

/** @throws ConnectorError NO_JOURNAL, or an error of the system if the directory can't be read */
function assertHoldsJournal(directory: string, dataFile: string): void {
  const stats = statSync(directory, { throwIfNoEntry: false })
  if (stats === undefined) throw noJournalError(directory, 'there is no such directory')
  if (!stats.isDirectory()) throw noJournalError(directory, 'it is not a directory')
  readdirSync(directory)
  const size = statSync(dataFile, { throwIfNoEntry: false })?.size
  if (size === undefined) throw noJournalError(directory, `it has no file lmdb/data.mdb`)
  if (size === 0) throw noJournalError(directory, `its file lmdb/data.mdb is empty`)
}

const noJournalError = (directory: string, reason: string): ConnectorError =>
  new ConnectorError(
    'NO_JOURNAL',
    `${directory} holds no journal: ${reason}; name the directory of a journal with journal.directory or --directory, and ` +
      'check that its volume is mounted',
  )

/** Rethrows errors of the system and of damaged files as errors that say what to do. */
function translateErrors<T>(directory: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof ConnectorError) throw error
    const { code } = error as NodeJS.ErrnoException
    const remedy =
      code === 'EACCES' || code === 'EPERM'
        ? 'run this command as the user that owns the files (in the image: 10001), or as root'
        : error instanceof DamagedDataFileError
          ? 'copy the directory before anything else is tried, and restore it from a copy if there is one'
          : 'check the disk and the mount'
    const message = `the journal in ${directory} can't be read: ${messageOf(error)}; ${remedy}`
    throw new ConnectorError('JOURNAL_UNUSABLE', message, { cause: error })
  }
}

/**
 * Decodes a sequence number. lmdb-js stores a number as the bits of its double between the digits 1 and 0, so that the order of
 * the bytes is that of the numbers, and leaves out zeros at the end.
 */
function decodeSeq(key: Buffer): number {
  const digits = key.toString('hex').padEnd(18, '0')
  return Buffer.from(digits.slice(1, 17), 'hex').readDoubleBE()
}
