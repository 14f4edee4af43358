/** Notices events that are on the topics twice, among the latest ones. */
export class DuplicateDetector {
  readonly #most: number
  #young = new Map<string, string>()
  #old = new Map<string, string>()

  /** @param most events that are remembered at least, and twice as many at most */
  constructor(most = 100_000) {
    this.#most = most
  }

  /**
   * @param place topic, partition and offset: the same record may be read again
   * @returns whether the event was met at another place before
   */
  isDuplicate(eventId: string, place: string): boolean {
    const before = this.#young.get(eventId) ?? this.#old.get(eventId)
    if (before !== undefined) return before !== place
    this.#young.set(eventId, place)
    if (this.#young.size >= this.#most) {
      this.#old = this.#young
      this.#young = new Map()
    }
    return false
  }
}
