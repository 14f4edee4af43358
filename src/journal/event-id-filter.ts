/**
 * A filter in front of the index of event ids. Nearly every id is new, and to find that out in the index takes several times as
 * long once it holds a million ids, and reads pages of the data file that may have to come from the disk.
 *
 * The filter is a Bloom filter: it may take an unknown id for a known one, which costs a look into the index, and never the other
 * way round, which would publish an item twice. Ids that the index deletes stay in it, so that it is made anew from time to time.
 *
 * An id is added to the filter when its write is queued, before it is in the index. A new filter is begun only while no write of
 * ids is pending. Then every id is in the index, which is read from the beginning to the end, or is added while that goes on. The
 * reading is divided into short turns. Until it is at its end, the filter before goes on, and at the start every id may be known.
 */
import { type Environment, entryCount } from './environment.js'

const BITS_PER_ID = 16
const BITS_PER_WORD = 32
/** With 16 bits for each id, about one unknown id in 400 passes. */
const PROBES = 4
const MIN_CAPACITY_IDS = 65_536
/** A filter of this capacity takes 16 MiB. With more ids it lets more unknown ids pass. */
export const MAX_CAPACITY_IDS = 8_388_608
/** Ids are hashes, so that their beginnings tell them apart. */
const HASHED_CHARACTERS = 16
/** Ids that are read in one turn of the event loop, which takes less than a millisecond. */
const IDS_PER_TURN = 500

/** A set of ids that may hold more than was added, and never less. */
export class BloomFilter {
  readonly capacity: number
  readonly #words: Uint32Array
  readonly #bitMask: number

  /** @param ids how many it should have room for; it gets room for the next power of two */
  constructor(ids: number) {
    const wanted = Math.min(MAX_CAPACITY_IDS, Math.max(MIN_CAPACITY_IDS, ids))
    this.capacity = 2 ** Math.ceil(Math.log2(wanted))
    const bits = this.capacity * BITS_PER_ID
    this.#words = new Uint32Array(bits / BITS_PER_WORD)
    this.#bitMask = bits - 1
  }

  add(id: string): void {
    let hash = hashOf(id, FIRST_HASH)
    const step = hashOf(id, SECOND_HASH)
    for (let probe = 0; probe < PROBES; probe++) {
      const bit = hash & this.#bitMask
      this.#words[bit >>> 5]! |= 1 << (bit & 31)
      hash = (hash + step) | 0
    }
  }

  mayHold(id: string): boolean {
    let hash = hashOf(id, FIRST_HASH)
    const step = hashOf(id, SECOND_HASH)
    for (let probe = 0; probe < PROBES; probe++) {
      const bit = hash & this.#bitMask
      if ((this.#words[bit >>> 5]! & (1 << (bit & 31))) === 0) return false
      hash = (hash + step) | 0
    }
    return true
  }
}

/** Start value and multiplier of FNV-1a, and another pair for a second hash of the same kind. */
const FIRST_HASH = { start: 0x811c9dc5, multiplier: 0x01000193 }
const SECOND_HASH = { start: 0x9747b28c, multiplier: 0x85ebca6b }

const hashOf = (id: string, { start, multiplier }: typeof FIRST_HASH): number => {
  const length = Math.min(id.length, HASHED_CHARACTERS)
  let hash = start
  for (let index = 0; index < length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), multiplier)
  // The highest bits depend on all characters, and the lowest ones would only depend on the lowest bits of each.
  return hash ^ (hash >>> 15)
}

export class EventIdFilter {
  readonly #env: Environment
  /** Holds every id of the index; undefined until one has been filled. */
  #filled: BloomFilter | undefined
  /** Is being filled. It holds every id that was added since it was begun. */
  #filling: BloomFilter | undefined
  /** Ids that are added before the next filter is begun. */
  #additionsLeft = 0
  #pendingWrites = 0
  #isClosed = false

  constructor(env: Environment) {
    this.#env = env
    this.#begin()
  }

  /** Whether an id may be in the index. If not, it certainly is not. */
  mayHold(eventId: string): boolean {
    return this.#filled?.mayHold(eventId) ?? true
  }

  /** To be called with each id before its write is queued, within `duringWrite`. */
  add(eventId: string): void {
    this.#filled?.add(eventId)
    this.#filling?.add(eventId)
    this.#additionsLeft--
  }

  /** Runs a write that adds ids, from before the first one is queued until the write has ended. */
  async duringWrite(write: () => Promise<void>): Promise<void> {
    this.#pendingWrites++
    try {
      await write()
    } finally {
      this.#pendingWrites--
      const isDue = this.#additionsLeft <= 0 && this.#filling === undefined
      if (isDue && this.#pendingWrites === 0) this.#begin()
    }
  }

  /** Ends the reading of the index. To be called before the environment is closed. */
  close(): void {
    this.#isClosed = true
  }

  #begin(): void {
    const ids = entryCount(this.#env.ids)
    const filter = new BloomFilter(2 * ids)
    this.#additionsLeft = Math.max(filter.capacity - ids, filter.capacity / 2)
    this.#filling = filter
    // An environment that has failed can't be read any more. Without a filter every id is looked up in the index.
    this.#fill(filter).catch(() => this.close())
  }

  async #fill(filter: BloomFilter): Promise<void> {
    const { root, ids } = this.#env
    // The snapshot of the present read transaction may be older than the last write.
    root.resetReadTxn()
    let last: string | undefined
    while (!this.#isClosed) {
      const range = last === undefined ? { limit: IDS_PER_TURN } : { start: last, limit: IDS_PER_TURN }
      let count = 0
      for (const id of ids.getKeys(range)) {
        filter.add(id)
        last = id
        count++
      }
      if (count < IDS_PER_TURN) {
        this.#filled = filter
        this.#filling = undefined
        return
      }
      await new Promise(setImmediate)
    }
  }
}
