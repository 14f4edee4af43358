/** Detects events that are on the topics twice, among the latest ones. */
export class DuplicateDetector {
  readonly #capacity: number
  #recent = new Map<string, string>()
  #older = new Map<string, string>()

  /** @param capacity the number of events that are remembered at least; at most twice as many are */
  constructor(capacity = 100_000) {
    this.#capacity = capacity
  }

  /**
   * @param place topic, partition and offset, because the same record may be read again
   * @returns whether the event was seen at another place before
   */
  isDuplicate(eventId: string, place: string): boolean {
    const seenAt = this.#recent.get(eventId) ?? this.#older.get(eventId)
    if (seenAt !== undefined) return seenAt !== place
    this.#recent.set(eventId, place)
    if (this.#recent.size >= this.#capacity) {
      this.#older = this.#recent
      this.#recent = new Map()
    }
    return false
  }
}
