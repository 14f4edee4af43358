/**
 * Queries the status of watched messages until the pipeline takes them off the watch list. The pipeline does so when it
 * releases a final receipt, from a callback or from a query.
 */
import type { ReconcileConfig } from '../config/types.js'
import type { WatchedMessage } from '../journal/journal.js'
import type { ReconcilerOptions, ReconcileTaskDeps } from './reconcile-client.js'

type Schedule = Pick<ReconcileConfig, 'after' | 'every' | 'giveUpAfter'>

/** The number of polls in each `every`, at most. Messages that become due at different times share a request. */
const MAX_POLLS_PER_INTERVAL = 5
/** The shortest time between two polls, however short `every` is. */
const MIN_POLL_INTERVAL_MS = 50
/** After so many consecutive refusals of single messages the account or the API is at fault, not the messages. */
const MAX_SINGLE_REFUSALS = 3

export class StatusPoller {
  readonly #options: ReconcilerOptions
  readonly #deps: ReconcileTaskDeps
  readonly #batches: StatusBatches
  #singleRefusals = 0

  constructor(options: ReconcilerOptions, deps: ReconcileTaskDeps) {
    this.#options = options
    this.#deps = deps
    this.#batches = new StatusBatches(deps.provider.reconcile.maxIdsPerQuery)
  }

  /** Queries every message that is due now. @returns milliseconds until the next poll */
  async run(): Promise<number> {
    const { clock, journal, provider, reporter, stopSignal } = this.#deps
    const { source, every } = this.#options
    let watched = 0
    let nextDueAt = Infinity
    let lastChecked: string | undefined
    let hasFailed = false
    do {
      const list = journal.watchList.list(source, lastChecked)
      const found = findDueMessages(list, clock.now(), this.#options, provider.reconcile.maxIdsPerQuery)
      await this.#giveUp(found.expired)
      for (const batch of this.#batches.split(found.due, clock.monotonic())) {
        const waitMs = await this.#query(batch)
        if (stopSignal.aborted) return 0
        if (waitMs === 0) continue
        // The next batch is queried without repeating this one, because this one may be what makes the provider fail.
        hasFailed = true
        await clock.sleep(waitMs, stopSignal)
      }
      watched += found.watched
      nextDueAt = Math.min(nextDueAt, found.nextDueAt)
      lastChecked = found.continueAfter
      await new Promise(setImmediate)
    } while (lastChecked !== undefined && !stopSignal.aborted)
    reporter.update({ watched })
    // A failed query has been waited for already.
    if (hasFailed) return 0
    const intervalMs = Math.max(nextDueAt - clock.now(), every / MAX_POLLS_PER_INTERVAL, MIN_POLL_INTERVAL_MS)
    return Math.min(intervalMs, Math.max(every, MIN_POLL_INTERVAL_MS))
  }

  async #giveUp(messageIds: readonly string[]): Promise<void> {
    if (messageIds.length === 0) return
    const { journal, observer, log } = this.#deps
    const { source, giveUpAfter } = this.#options
    await journal.watchList.remove(source, messageIds)
    observer.messagesGivenUp(source, messageIds.length)
    const facts = {
      event: 'watch-given-up',
      source,
      messages: messageIds.length,
      giveUpAfterSeconds: giveUpAfter / 1_000,
    } as const
    log.info(facts, 'messages without a final receipt are no longer queried, because giveUpAfter has passed')
  }

  /** Queries messages that are still watched. @returns milliseconds to wait after a failure, 0 after none */
  async #query(messageIds: readonly string[]): Promise<number> {
    const { client, clock, provider, journal } = this.#deps
    const { watchList } = journal
    const { source } = this.#options
    let queried: readonly string[] = []
    const result = await client.query('status', () => {
      queried = messageIds.filter((id) => watchList.has(source, id))
      return queried.length === 0 ? undefined : provider.reconcile.statusRequest(this.#options, queried)
    })
    switch (result.kind) {
      case 'skipped':
        return 0
      case 'failed':
        return result.waitMs
      case 'answer':
        this.#singleRefusals = 0
        this.#batches.allowTogether(queried)
        await watchList.markAsked(source, queried, clock.now())
        return 0
      case 'refused':
        return queried.length > 1 ? this.#queryOneByOne(queried) : this.#handleSingleRefusal(queried, result.detail)
    }
  }

  async #queryOneByOne(messageIds: readonly string[]): Promise<number> {
    for (const id of messageIds) {
      const waitMs = await this.#query([id])
      if (waitMs > 0 || this.#deps.stopSignal.aborted) return waitMs
    }
    const isEachAnswered = !messageIds.some((id) => this.#batches.isAlone(id))
    if (isEachAnswered) this.#batches.requireSingle(this.#deps.clock.monotonic())
    return 0
  }

  async #handleSingleRefusal(messageIds: readonly string[], detail: string): Promise<number> {
    const { client, journal, clock, log } = this.#deps
    const { source } = this.#options
    this.#batches.requireAlone(messageIds)
    this.#singleRefusals++
    if (this.#singleRefusals >= MAX_SINGLE_REFUSALS) return client.recordFailure('status', 'refused', detail).waitMs
    log.info(
      { event: 'message-query-refused', source, detail },
      'the provider refuses to report on one message; it is queried alone from now on',
    )
    await journal.watchList.markAsked(source, messageIds, clock.now())
    return 0
  }
}

export interface DueMessages {
  readonly due: readonly string[]
  /** Messages whose `giveUpAfter` has passed. */
  readonly expired: readonly string[]
  /** The number of checked messages that have not expired. */
  readonly watched: number
  /** When the next of the checked messages becomes due; Infinity if there is none. */
  readonly nextDueAt: number
  /** The last message that was checked, if the list may have more behind it. */
  readonly continueAfter: string | undefined
}

/** The number of messages that are checked before other work of the process gets a turn. */
const MAX_CHECKED_MESSAGES = 2_000

/** Finds messages to query now. @param maxDue ends the search at this number of due messages */
export const findDueMessages = (
  list: Iterable<WatchedMessage>,
  now: number,
  schedule: Schedule,
  maxDue: number,
): DueMessages => {
  const due: string[] = []
  const expired: string[] = []
  let nextDueAt = Infinity
  let checked = 0
  let lastChecked: string | undefined
  const isFull = (): boolean => due.length >= maxDue || checked >= MAX_CHECKED_MESSAGES
  for (const message of list) {
    if (isFull()) break
    checked++
    lastChecked = message.messageId
    const dueAt = dueTime(message, now, schedule)
    if (isExpired(message, now, schedule)) expired.push(lastChecked)
    else if (dueAt <= now) due.push(lastChecked)
    else nextDueAt = Math.min(nextDueAt, dueAt)
  }
  const continueAfter = isFull() ? lastChecked : undefined
  return { due, expired, watched: checked - expired.length, nextDueAt, continueAfter }
}

/**
 * A message expires after `giveUpAfter`. If it could not be queried shortly before that, because the connector was down
 * or the provider refused, it stays due for one last query, for as long again.
 */
const isExpired = ({ since, lastAskedAt }: WatchedMessage, now: number, { every, giveUpAfter }: Schedule): boolean => {
  const end = since + giveUpAfter
  if (now < end) return false
  return lastAskedAt >= end - 2 * every || now >= end + Math.max(giveUpAfter, 2 * every)
}

/** A time of the last query that lies in the future is ignored: the clock was set back since. */
const dueTime = ({ since, lastAskedAt }: WatchedMessage, now: number, { after, every }: Schedule): number =>
  lastAskedAt === 0 || lastAskedAt > now ? since + after : Math.max(since + after, lastAskedAt + every)

/** The characters of ids in one query. Longer request lines may be refused by a server. */
const MAX_ID_LIST_CHARACTERS = 1_500
const RETRY_BATCHES_AFTER_MS = 3_600_000
/** The number of messages that are remembered as refused. Beyond it they are no exceptions, and all are forgotten. */
const MAX_REFUSED_MESSAGES = 10_000

/**
 * Decides how many messages one status query names: as many as the provider accepts. The provider's documentation does
 * not say how many it accepts, and the old form of its answer holds one status and no id. A query for several messages
 * that is refused is therefore repeated for each message.
 *
 * - If each of them is answered then, the provider accepts one message at a time. Batches are tried again after an hour.
 * - If one is refused again, it caused the refusal. It is queried alone from then on, so that it spoils no other query.
 */
export class StatusBatches {
  readonly #maxIds: number
  readonly #alone = new Set<string>()
  #singleUntil = 0

  /** @param maxIds the number of ids in one query, by the provider's documentation */
  constructor(maxIds: number) {
    this.#maxIds = maxIds
  }

  /** @param now monotonic milliseconds */
  *split(messageIds: readonly string[], now: number): Generator<readonly string[], void, undefined> {
    let batch: string[] = []
    let characters = 0
    for (const id of messageIds) {
      if (now < this.#singleUntil || this.#alone.has(id)) {
        yield [id]
        continue
      }
      const added = encodeURIComponent(id).length + 1
      if (batch.length >= this.#maxIds || (batch.length > 0 && characters + added > MAX_ID_LIST_CHARACTERS)) {
        yield batch
        batch = []
        characters = 0
      }
      batch.push(id)
      characters += added
    }
    if (batch.length > 0) yield batch
  }

  /** Whether the message was refused and is therefore queried alone. */
  isAlone(messageId: string): boolean {
    return this.#alone.has(messageId)
  }

  requireAlone(messageIds: readonly string[]): void {
    if (this.#alone.size >= MAX_REFUSED_MESSAGES) this.#alone.clear()
    for (const id of messageIds) this.#alone.add(id)
  }

  allowTogether(messageIds: readonly string[]): void {
    for (const id of messageIds) this.#alone.delete(id)
  }

  /** Makes every batch a single message for an hour. @param now monotonic milliseconds */
  requireSingle(now: number): void {
    this.#singleUntil = now + RETRY_BATCHES_AFTER_MS
  }
}
