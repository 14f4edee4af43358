import type { Entry } from './journal.js'

/**
 * Which appends were read before LMDB has answered them. What was read was committed, and may be released and gone when
 * the answer comes: that it can't be found any more says nothing then.
 */
export class UnconfirmedAppends {
  readonly #unanswered = new Map<number, boolean>()

  /** @param before the number of an attempt that failed */
  begin(seq: number, before: number): number {
    this.#unanswered.delete(before)
    this.#unanswered.set(seq, false)
    return seq
  }

  saw(entries: Entry[]): Entry[] {
    for (const { seq } of entries) if (this.#unanswered.has(seq)) this.#unanswered.set(seq, true)
    return entries
  }

  has(seq: number): boolean {
    return this.#unanswered.get(seq) === true
  }

  end(seq: number): void {
    this.#unanswered.delete(seq)
  }
}
