/**
 * Limits the memory that the bodies of all requests which are not answered yet may take together.
 *
 * Whoever sends slowly holds room for long, and whoever sends from many connections holds much of it. A body that does not fit
 * therefore displaces others instead of being refused: of the source that holds the most, of the address within it that holds
 * the most, those that have been under way for the longest. The callers of other sources and addresses, and a body that arrives
 * at once, always find room. A body that has arrived completely is on its way to the disk and is not displaced.
 */

/** Who sends a body. */
export interface BodySender {
  /** The key under `sources`. */
  readonly source: string
  readonly address: string
}

/**
 * Why a body finds no room: `displaced` if it is the one that has to give way, `no-memory` if bodies that have arrived completely
 * take everything.
 */
export type RoomProblem = 'displaced' | 'no-memory'

/** The part of the room that one body takes. */
export interface BodyAllotment {
  /** Is called when the body is displaced. Its room has been given back then. */
  onDisplaced: () => void
  /** Takes room for the bytes. Returns why there is none, or null. */
  take(bytes: number): RoomProblem | null
  /** Notes that the body has arrived completely. */
  complete(): void
  /** Gives everything back. Further calls have no effect. */
  giveBack(): void
}

/** Displacing goes on until so much of the room is free, so that bodies are not compared for every chunk. */
const FREED_SHARE = 1 / 16

export class BodyRoom {
  #maxBytes: number
  #usedBytes = 0
  /** The bodies that are under way, the oldest first. */
  readonly #arriving = new Set<Allotment>()

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes of the bodies that are under way, or on their way to the disk. */
  get usedBytes(): number {
    return this.#usedBytes
  }

  /** Changes the limit for what is taken from now on. */
  resize(maxBytes: number): void {
    this.#maxBytes = maxBytes
  }

  open(sender: BodySender): BodyAllotment {
    const allotment: Allotment = new Allotment(sender, {
      take: (bytes) => this.#take(allotment, bytes),
      complete: () => void this.#arriving.delete(allotment),
      giveBack: (bytes) => {
        this.#usedBytes -= bytes
        this.#arriving.delete(allotment)
      },
    })
    this.#arriving.add(allotment)
    return allotment
  }

  #take(allotment: Allotment, bytes: number): RoomProblem | null {
    if (this.#usedBytes + bytes > this.#maxBytes) {
      const mustGiveWay = this.#displaceFor(allotment, bytes)
      if (mustGiveWay) return 'displaced'
      if (this.#usedBytes + bytes > this.#maxBytes) return 'no-memory'
    }
    this.#usedBytes += bytes
    return null
  }

  /** Returns true if the newcomer itself is the next one to give way. */
  #displaceFor(newcomer: Allotment, bytes: number): boolean {
    const allowedBytes = this.#maxBytes * (1 - FREED_SHARE) - bytes
    while (this.#usedBytes > allowedBytes) {
      const displaced = this.#oldestOfLargest(this.#usedBytes - allowedBytes)
      if (displaced.length === 0) return false
      for (const each of displaced) {
        if (each === newcomer) return this.#usedBytes + bytes > this.#maxBytes && this.#hasOthers(newcomer)
        each.displace()
      }
    }
    return false
  }

  /** Whether another body that is under way holds room. */
  #hasOthers(allotment: Allotment): boolean {
    for (const each of this.#arriving) if (each !== allotment && each.bytes > 0) return true
    return false
  }

  /** Returns the bodies of the source and address that hold the most, the oldest first, until they have `bytes` together. */
  #oldestOfLargest(bytes: number): readonly Allotment[] {
    const source = largest(this.#arriving, ({ sender }) => sender.source)
    const ofSource = [...this.#arriving].filter((each) => each.sender.source === source)
    const address = largest(ofSource, ({ sender }) => sender.address)
    const found: Allotment[] = []
    let foundBytes = 0
    for (const each of ofSource) {
      if (each.sender.address !== address || each.bytes === 0) continue
      if (foundBytes >= bytes) break
      found.push(each)
      foundBytes += each.bytes
    }
    return found
  }
}

class Allotment implements BodyAllotment {
  readonly sender: BodySender
  readonly #room: RoomOfAllotment
  #bytes = 0
  onDisplaced: () => void = () => undefined

  constructor(sender: BodySender, room: RoomOfAllotment) {
    this.sender = sender
    this.#room = room
  }

  get bytes(): number {
    return this.#bytes
  }

  take(bytes: number): RoomProblem | null {
    const problem = this.#room.take(bytes)
    if (problem === null) this.#bytes += bytes
    return problem
  }

  complete(): void {
    this.#room.complete()
  }

  giveBack(): void {
    this.#room.giveBack(this.#bytes)
    this.#bytes = 0
  }

  displace(): void {
    this.giveBack()
    this.onDisplaced()
  }
}

interface RoomOfAllotment {
  take(bytes: number): RoomProblem | null
  complete(): void
  giveBack(bytes: number): void
}

/** Returns the key whose bodies have the most bytes together; undefined if there are none. */
const largest = (allotments: Iterable<Allotment>, keyOf: (allotment: Allotment) => string): string | undefined => {
  const bytesByKey = new Map<string, number>()
  for (const each of allotments) {
    const key = keyOf(each)
    bytesByKey.set(key, (bytesByKey.get(key) ?? 0) + each.bytes)
  }
  let found: string | undefined
  let most = -1
  for (const [key, bytes] of bytesByKey) {
    if (bytes <= most) continue
    found = key
    most = bytes
  }
  return found
}
