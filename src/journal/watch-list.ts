/**
 * The messages whose final receipt has not arrived. The reconciler asks the provider for them.
 *
 * The pipeline's changes are written in the transaction that releases the entries that they were read from. The reconciler
 * adds the messages that a user names, and marks those that it has asked for. Both may write at the same time, so a write
 * that depends on a message being on the list leaves that decision to LMDB.
 */
import { IF_EXISTS } from 'lmdb'
import { entryCount, type Environment } from './environment.js'
import type { WatchChange, WatchedMessage, WatchList, WatchListUsage } from './journal.js'
import type { Writer } from './writer.js'

export class LmdbWatchList implements WatchList {
  readonly #db: Environment['watch']
  readonly #meta: Environment['meta']
  readonly #writer: Writer

  readonly #maxMessages: number
  /** Messages that are being added. Some of them may be on the list already. */
  #pendingAdditions = 0
  #notAdded = 0

  /** @param maxMessages on the list; further ones are not added */
  constructor(env: Environment, writer: Writer, maxMessages: number) {
    this.#db = env.watch
    this.#meta = env.meta
    this.#writer = writer
    this.#maxMessages = maxMessages
  }

  usage(): WatchListUsage {
    return { messages: entryCount(this.#db), maxMessages: this.#maxMessages, notAdded: this.#notAdded }
  }

  hasRoomFor(messages: number): boolean {
    return this.#room() >= messages
  }

  /** Queues the changes. The caller has opened the batch that they belong to. */
  queueChanges(changes: readonly WatchChange[]): void {
    let room: number | undefined
    for (const { source, messageId, receivedAt, state } of changes) {
      if (!fitsIntoKey(messageId)) continue
      if (state === 'closed') {
        void this.#db.remove([source, messageId])
        continue
      }
      room ??= this.#room()
      if (room > 0) this.#queueAddition([source, messageId], receivedAt)
      else this.#notAdded++
      room--
    }
  }

  async add(source: string, messageIds: readonly string[], since: number): Promise<void> {
    if (!this.hasRoomFor(messageIds.length)) {
      this.#notAdded += messageIds.length
      return
    }
    this.#pendingAdditions += messageIds.length
    try {
      await this.#writeEach(
        messageIds,
        (messageId) => this.#queueAddition([source, messageId], since),
        () => messageIds.filter(fitsIntoKey).every((messageId) => this.has(source, messageId)),
      )
    } finally {
      this.#pendingAdditions -= messageIds.length
    }
  }

  *list(source: string, after?: string): Iterable<WatchedMessage> {
    const range = { start: [source, after ?? ''], end: [source, LAST_CODE_POINT] }
    for (const { key, value } of this.#db.getRange(range)) {
      const [, messageId] = key
      if (messageId === after) continue
      const [since, lastAskedAt] = value
      yield { messageId, since, lastAskedAt }
    }
  }

  has(source: string, messageId: string): boolean {
    return fitsIntoKey(messageId) && this.#db.doesExist([source, messageId])
  }

  markAsked(source: string, messageIds: readonly string[], at: number): Promise<void> {
    return this.#writeEach(messageIds, (messageId) => {
      const stored = this.#db.get([source, messageId])
      if (stored === undefined) return
      const [since] = stored
      const key: [string, string] = [source, messageId]
      ignoreRejection(this.#db.ifVersion(key, IF_EXISTS, () => this.#db.put(key, [since, at])))
    })
  }

  remove(source: string, messageIds: readonly string[]): Promise<void> {
    return this.#writeEach(messageIds, (messageId) => void this.#db.remove([source, messageId]))
  }

  lastScanStartedAt(source: string, log: string): number {
    return (this.#meta.get(`walked ${log} ${source}`) as number | undefined) ?? 0
  }

  recordScan(source: string, log: string, startedAt: number): Promise<void> {
    return this.#writer.write(() => this.#meta.put(`walked ${log} ${source}`, startedAt))
  }

  #room(): number {
    return this.#maxMessages - entryCount(this.#db) - this.#pendingAdditions
  }

  #queueAddition(key: [string, string], since: number): void {
    ignoreRejection(this.#db.ifNoExists(key, () => this.#db.put(key, [since, 0])))
  }

  #writeEach(
    messageIds: readonly string[],
    queueWrite: (messageId: string) => void,
    isWritten?: () => boolean,
  ): Promise<void> {
    const queueAll = (): void => messageIds.filter(fitsIntoKey).forEach(queueWrite)
    return this.#writer.write(() => this.#db.batch(queueAll), { isWritten })
  }
}

/** Above every message id in the order of LMDB's keys. */
const LAST_CODE_POINT = '\u{10ffff}'

/** LMDB limits a key to 1,978 bytes, and it holds the source as well. Message ids of providers have less than 100 bytes. */
const MAX_MESSAGE_ID_BYTES = 1_000

const fitsIntoKey = (messageId: string): boolean => Buffer.byteLength(messageId) <= MAX_MESSAGE_ID_BYTES

/** A conditional write within a batch returns a promise of its own. The batch reports the same failure. */
const ignoreRejection = (write: Promise<boolean>): void => void write.catch(() => undefined)
