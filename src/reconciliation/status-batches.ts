/**
 * How many messages one status query names: as many as the provider takes. Nobody documents how many that is, and the
 * old form of the answer holds one status and no id; so a query for many that is refused is repeated message by message.
 *
 * - All of them are answered then: the provider takes one at a time. Many are tried again after an hour.
 * - One is refused alone too: it was to blame, and is asked for alone from then on, so that it spoils no other query.
 */

/** Characters of ids in a query, so that an unusual id makes no request line that a server refuses. */
const LONGEST_LIST = 1_500
/** Ms. */
const RETRY_MANY = 3_600_000
/** More than this are no exceptions any more, and forgotten. */
const MOST_ALONE = 10_000

export class Batches {
  readonly #most: number
  readonly #alone = new Set<string>()
  #singleUntil = 0

  /** @param most ids a query may carry, as the provider's document has it */
  constructor(most: number) {
    this.#most = most
  }

  /** @param now monotonic, ms */
  *of(messageIds: readonly string[], now: number): Generator<readonly string[], void, undefined> {
    let batch: string[] = []
    let length = 0
    for (const id of messageIds) {
      if (now < this.#singleUntil || this.#alone.has(id)) {
        yield [id]
        continue
      }
      const more = encodeURIComponent(id).length + 1
      if (batch.length >= this.#most || (batch.length > 0 && length + more > LONGEST_LIST)) {
        yield batch
        batch = []
        length = 0
      }
      batch.push(id)
      length += more
    }
    if (batch.length > 0) yield batch
  }

  isAlone(messageId: string): boolean {
    return this.#alone.has(messageId)
  }

  refusedAlone(messageId: string): void {
    if (this.#alone.size >= MOST_ALONE) this.#alone.clear()
    this.#alone.add(messageId)
  }

  answered(messageIds: readonly string[]): void {
    for (const id of messageIds) this.#alone.delete(id)
  }

  /** Of many that were refused together, each was answered alone. */
  takesOne(now: number): void {
    this.#singleUntil = now + RETRY_MANY
  }
}
