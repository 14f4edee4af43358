/** Joins the parts of dead letters that were too large for one record. It has no dependencies: copy it. */
import type { DeadLetter } from 'dlr-mo-connector/schemas'

interface OpenLetter {
  readonly firstOffset: bigint
  readonly parts: number
  readonly bodies: Map<number, Uint8Array>
}

/** Joins the parts that one partition holds. All parts of a dead letter are in one partition, because they have the same key. */
export class DeadLetterJoiner {
  /** By event id, in the order of their first offsets. */
  readonly #open = new Map<string, OpenLetter>()

  /** Returns the letter with its whole body if this part completes it; else undefined. */
  add(letter: DeadLetter, offset: bigint): DeadLetter | undefined {
    const { eventId, part, parts, body } = letter
    if (parts === 1) return letter
    let open = this.#open.get(eventId)
    if (open?.parts !== parts) {
      // Retention has deleted the beginning of this letter, or this part is there a second time.
      if (part !== 0) return undefined
      open = { firstOffset: offset, parts, bodies: new Map() }
      this.#open.delete(eventId)
      this.#open.set(eventId, open)
    }
    const { bodies } = open
    bodies.set(part, body)
    if (bodies.size < parts) return undefined
    this.#open.delete(eventId)
    const inOrder = Array.from({ length: parts }, (_, number) => bodies.get(number) ?? new Uint8Array())
    return { ...letter, body: Buffer.concat(inOrder) }
  }

  /** The offset of the first part that waits for others. A consumer commits no offset behind it. */
  get firstOpenOffset(): bigint | undefined {
    for (const { firstOffset } of this.#open.values()) return firstOffset
    return undefined
  }
}
