/**
 * Messages whose final receipt has not come: what the reconciler asks the provider for.
 *
 * The pipeline's changes are written in the transaction that releases the entries they were read from; the reconciler
 * adds what a user hands in, and notes when it has asked. Both may be under way at once, so what depends on a message
 * being there is decided by LMDB when it writes.
 */
import { IF_EXISTS } from 'lmdb'
import type { Environment } from './environment.js'
import type { WatchedMessage, WatchChange, WatchList } from './journal.js'
import type { Writer } from './writer.js'

export class LmdbWatchList implements WatchList {
  readonly #db: Environment['watch']
  readonly #meta: Environment['meta']
  readonly #writer: Writer

  constructor(env: Environment, writer: Writer) {
    this.#db = env.watch
    this.#meta = env.meta
    this.#writer = writer
  }

  /** Queues the writes; the caller has opened the batch that they are to be part of. */
  queue(changes: readonly WatchChange[]): void {
    for (const { source, messageId, receivedAt, state } of changes) {
      if (!isKey(messageId)) continue
      if (state === 'closed') void this.#db.remove([source, messageId])
      else this.#queueNew([source, messageId], receivedAt)
    }
  }

  add(source: string, messageIds: readonly string[], since: number): Promise<void> {
    return this.#each(
      messageIds,
      (id) => this.#queueNew([source, id], since),
      () => messageIds.filter(isKey).every((id) => this.has(source, id)),
    )
  }

  *list(source: string, behind?: string): Iterable<WatchedMessage> {
    const range = { start: [source, behind ?? ''], end: [source, '\u{10ffff}'] }
    for (const { key, value } of this.#db.getRange(range)) {
      if (key[1] === behind) continue
      yield { messageId: key[1], since: value[0], lastAskedAt: value[1] }
    }
  }

  has(source: string, messageId: string): boolean {
    return isKey(messageId) && this.#db.doesExist([source, messageId])
  }

  markAsked(source: string, messageIds: readonly string[], at: number): Promise<void> {
    return this.#each(messageIds, (id) => {
      const stored = this.#db.get([source, id])
      if (stored)
        unheard(this.#db.ifVersion([source, id], IF_EXISTS, () => this.#db.put([source, id], [stored[0], at])))
    })
  }

  remove(source: string, messageIds: readonly string[]): Promise<void> {
    return this.#each(messageIds, (id) => void this.#db.remove([source, id]))
  }

  lastScanStartedAt(source: string, log: string): number {
    return (this.#meta.get(`walked ${log} ${source}`) as number | undefined) ?? 0
  }

  recordScan(source: string, log: string, began: number): Promise<void> {
    return this.#writer.write(() => this.#meta.put(`walked ${log} ${source}`, began))
  }

  #queueNew(key: [string, string], since: number): void {
    unheard(this.#db.ifNoExists(key, () => this.#db.put(key, [since, 0])))
  }

  #each(messageIds: readonly string[], queue: (id: string) => void, written?: () => boolean): Promise<void> {
    return this.#writer.write(() => this.#db.batch(() => messageIds.filter(isKey).forEach(queue)), { written })
  }
}

/** LMDB keys end at 1,978 bytes; no provider has an id of a tenth of that. */
const isKey = (messageId: string): boolean => Buffer.byteLength(messageId) <= 1000

/** A condition inside a batch has a promise of its own; what fails, the batch reports. */
const unheard = (part: Promise<boolean>): void => void part.catch(() => undefined)
