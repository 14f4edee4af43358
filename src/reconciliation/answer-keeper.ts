/**
 * What becomes of a complete answer: into the journal where it holds news, and where every item is surely known nothing.
 *
 * Where replicas share the work an answer with news is held back for a moment and looked at again: what is in it may be
 * in a callback too, which another replica is publishing. Meanwhile the next questions are asked; nothing is lost with
 * an answer that is let go of, it can be had again.
 */
import type { Clock } from '../core/clock.js'
import type { Journal, NewEntry } from '../journal/journal.js'
import type { ReconcileObserver } from '../core/observers.js'

/** What an answer holds, compared with what was published or is in the journal. */
export interface Recognised {
  readonly items: number
  /** False only when every item is surely known, or there is none. */
  readonly hasNewItems: boolean
  /** Messages whose final receipt is in it. */
  readonly settled: readonly string[]
  /** To be told when the answer is in the journal. */
  readonly markStored: (seq: number) => void
}

/**
 * Where replicas share the work: what others have published must be known before anything is asked, and before anything
 * is kept.
 */
export interface SharedKnowledge {
  /** Resolves with true once it is known, with false when the signal aborts. */
  ready(signal: AbortSignal): Promise<boolean>
  /**
   * Resolves when what others were about to publish is known too; with false where the answer must be let go of.
   * @param answeredAt monotonic ms
   */
  settled(answeredAt: number, signal: AbortSignal): Promise<boolean>
}

export interface KeepDeps {
  readonly journal: Pick<Journal, 'append' | 'watchList'>
  readonly recognise: (entry: NewEntry) => Recognised
  readonly shared?: SharedKnowledge | undefined
  readonly clock: Clock
  readonly observer: Pick<ReconcileObserver, 'knownItemsDropped' | 'custodyTaken'>
}

/** Answers held back at most. */
const MOST = 50

export class AnswerKeeper {
  readonly #deps: KeepDeps
  readonly #stop: AbortSignal
  #held = 0
  #letGo = 0
  #last: Promise<void> = Promise.resolve()

  constructor(deps: KeepDeps, stop: AbortSignal) {
    this.#deps = deps
    this.#stop = stop
  }

  /** How many were held back and then not kept, so far. */
  get letGo(): number {
    return this.#letGo
  }

  /**
   * Resolves when the answer is in the journal, or held back.
   * @throws ConnectorError what the journal throws
   */
  async keep(entry: NewEntry): Promise<void> {
    const { recognise, shared, clock } = this.#deps
    const recognised = recognise(entry)
    if (!recognised.hasNewItems || shared === undefined) return this.#take(entry, recognised)
    const answeredAt = clock.monotonic()
    this.#held++
    // In their order, so that the states of a message are (invariant 4).
    this.#last = this.#last.then(async () => {
      try {
        if (await shared.settled(answeredAt, this.#stop)) await this.#take(entry, recognise(entry))
        else this.#letGo++
      } catch {
        this.#letGo++
      } finally {
        this.#held--
      }
    })
    if (this.#held >= MOST) await this.#last
  }

  /** Resolves when nothing is held back any more of what has been until now. */
  settle(): Promise<void> {
    return this.#last
  }

  async #take(entry: NewEntry, recognised: Recognised): Promise<void> {
    const { journal, clock, observer } = this.#deps
    if (recognised.hasNewItems) {
      const began = clock.monotonic()
      recognised.markStored(await journal.append(entry)) // invariant 1
      return observer.custodyTaken((clock.monotonic() - began) / 1_000)
    }
    if (recognised.items > 0) observer.knownItemsDropped(entry.source, recognised.items)
    // The pipeline closes what it reads a final receipt of; of this it will read nothing.
    const settled = recognised.settled.filter((id) => journal.watchList.has(entry.source, id))
    if (settled.length > 0) await journal.watchList.remove(entry.source, settled)
  }
}
