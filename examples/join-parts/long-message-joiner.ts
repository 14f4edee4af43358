/**
 * Joins the parts of long inbound messages, for a consumer of the topic `sms.mo`. It has no dependencies: copy it.
 *
 * The parts of one text arrive in any order, and other messages may arrive between them. All messages of one handset are in
 * one partition, because the key of the records is the sender, so that one consumer sees all parts of a text.
 */

/** The fields of `sms.events.InboundMessage` that joining needs. */
export interface InboundMessage {
  readonly eventId: string
  readonly source: string
  readonly sender: string
  readonly recipient: string | null
  readonly text: string
  readonly part: { readonly reference: string; readonly number: number; readonly total: number } | null
}

export interface JoinedText<Message extends InboundMessage> {
  readonly text: string
  /** Whether all parts are there. If not, `text` consists of those that are. */
  readonly isComplete: boolean
  /** The messages that the text consists of, by their places in it. */
  readonly messages: readonly Message[]
}

interface OpenText<Message> {
  readonly since: number
  readonly byNumber: Map<number, Message>
  /** The text with the same key that was complete shortly before; undefined if there was none. */
  readonly completedBefore: CompletedText<Message> | undefined
}

interface CompletedText<Message> {
  readonly at: number
  readonly byNumber: ReadonlyMap<number, Message>
}

export class LongMessageJoiner<Message extends InboundMessage> {
  readonly #waitMs: number
  /** The oldest one is first. */
  readonly #open = new Map<string, OpenText<Message>>()
  /** The texts that were completed within the time that parts are waited for. The oldest one is first. */
  readonly #completed = new Map<string, CompletedText<Message>>()

  /** @param waitMs how long the parts of a text are waited for, counted from its first one */
  constructor(waitMs: number) {
    this.#waitMs = waitMs
  }

  /**
   * Adds a message, and returns the texts that are finished with it. A message that is no part is a text of its own.
   *
   * @param now the time in milliseconds, by any clock that only goes forward
   */
  add(message: Message, now: number): JoinedText<Message>[] {
    const { part } = message
    if (part === null) return [{ text: message.text, isComplete: true, messages: [message] }]
    // Providers use a reference again after a while, and other handsets may use the same one.
    const key = JSON.stringify([message.source, message.sender, message.recipient, part.reference, part.total])
    const finished: JoinedText<Message>[] = []
    let open = this.#open.get(key)
    const sameNumber = open?.byNumber.get(part.number)
    if (sameNumber?.text === message.text) {
      // The provider, or Kafka, has sent this part again.
      return finished
    }
    if (open === undefined || sameNumber !== undefined) {
      if (open !== undefined) finished.push(...this.#closeIncomplete(key, open))
      const before = this.#completed.get(key)
      const completedBefore = before !== undefined && now - before.at < this.#waitMs ? before : undefined
      open = { since: now, byNumber: new Map(), completedBefore }
      this.#open.set(key, open)
    }
    open.byNumber.set(part.number, message)
    if (open.byNumber.size === part.total) {
      this.#completed.delete(key)
      this.#completed.set(key, { at: now, byNumber: open.byNumber })
      finished.push(this.#close(key, open))
    }
    return finished
  }

  /** Returns the texts whose missing parts have not arrived in time. Call it regularly, and once for each batch. */
  expire(now: number): JoinedText<Message>[] {
    const expired: JoinedText<Message>[] = []
    for (const [key, open] of this.#open) {
      if (now - open.since < this.#waitMs) break
      expired.push(...this.#closeIncomplete(key, open))
    }
    for (const [key, { at }] of this.#completed) {
      if (now - at < this.#waitMs) break
      this.#completed.delete(key)
    }
    return expired
  }

  /** The messages that are waiting for others. A consumer must not commit an offset behind the first one of them. */
  waiting(): Message[] {
    return [...this.#open.values()].flatMap(({ byNumber }) => [...byNumber.values()])
  }

  /** Returns nothing if the parts are only those of a text that was complete before, which arrived again. */
  #closeIncomplete(key: string, open: OpenText<Message>): JoinedText<Message>[] {
    const joined = this.#close(key, open)
    const before = open.completedBefore?.byNumber
    const isRepetition = [...open.byNumber].every(([number, { text }]) => before?.get(number)?.text === text)
    return isRepetition ? [] : [joined]
  }

  #close(key: string, { byNumber }: OpenText<Message>): JoinedText<Message> {
    this.#open.delete(key)
    const messages = [...byNumber.entries()].sort(([one], [other]) => one - other).map(([, message]) => message)
    const total = messages[0]?.part?.total
    return { text: messages.map(({ text }) => text).join(''), isComplete: messages.length === total, messages }
  }
}
