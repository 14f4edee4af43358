import type { Environment } from './environment.js'

/** When the oldest entry came. An entry may be a page of 64 MiB: it is read once, not at each look. */
export class Oldest {
  readonly #entries: Environment['entries']
  #seq: number | undefined
  #receivedAt: number | null = null

  constructor({ entries }: Environment) {
    this.#entries = entries
  }

  /** Milliseconds since the epoch; null when there is no entry. */
  get receivedAt(): number | null {
    const [seq] = this.#entries.getKeys({ limit: 1 })
    if (seq !== this.#seq) {
      this.#receivedAt = seq === undefined ? null : (this.#entries.get(seq)?.receivedAt ?? null)
      this.#seq = seq
    }
    return this.#receivedAt
  }
}
