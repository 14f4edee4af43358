/**
 * Parts of a buffer, each as the offset of its first byte and the offset behind its last one.
 *
 * The offsets lie in one flat array, because a body may hold 500,000 rows and an object for each takes several times as
 * much memory.
 */
export class ByteRanges {
  readonly #offsets: number[] = []

  get count(): number {
    return this.#offsets.length / 2
  }

  add(start: number, end: number): void {
    this.#offsets.push(start, end)
  }

  addAll(ranges: ByteRanges): void {
    for (const offset of ranges.#offsets) this.#offsets.push(offset)
  }

  /** @returns the bytes of one range, not copied; no bytes for an index that is not below `count` */
  slice(bytes: Uint8Array, index: number): Uint8Array {
    return bytes.subarray(this.#offsets[2 * index] ?? 0, this.#offsets[2 * index + 1] ?? 0)
  }

  /** The bytes of each range, in order, not copied. */
  *slices(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    for (let index = 0; index < this.count; index++) yield this.slice(bytes, index)
  }
}
