/**
 * How far the events of one entry are committed. A large entry takes several transactions, and every one of them commits the
 * position up to the entry in front of it, with the place inside the entry as the metadata of that offset.
 */
import { createHash } from 'node:crypto'

/** How far inside the entry behind a position the events are committed. */
export interface PlaceInEntry {
  /** The number of items, in the order of decoding, whose records are all committed. */
  readonly items: number
  /** The number of records of the next item that are committed. Only a dead letter has several records, its parts. */
  readonly parts: number
  /** The number of records that the next item has; 0 if none of them is committed. */
  readonly partCount: number
  /**
   * Digest of these records; empty if none is committed. If the item is split in another way today, for example because
   * `kafka.maxBatchBytes` has changed, its other records do not continue them.
   */
  readonly partsDigest: string
  /**
   * Digest of the committed items. If the entry decodes to other items today, for example because its source is configured
   * in another way, the place says nothing about them, and the whole entry is published again.
   */
  readonly digest: string
}

/** How far the events of a journal are committed. */
export interface Position {
  /** Every entry up to this sequence number is committed completely; -1 if none is. */
  readonly upTo: number
  /** How far the entry with the next sequence number is committed; null if nothing of it is. */
  readonly place: PlaceInEntry | null
}

export const isSamePosition = (one: Position, other: Position): boolean =>
  one.upTo === other.upTo && formatPlace(one.place) === formatPlace(other.place)

/** Returns the position that is further on. */
export const laterOf = (one: Position, other: Position): Position => {
  if (one.upTo !== other.upTo) return one.upTo > other.upTo ? one : other
  const [first, second] = [one.place, other.place]
  if (first === null || second === null) return first === null ? other : one
  const isFirstLater = first.items > second.items || (first.items === second.items && first.parts >= second.parts)
  return isFirstLater ? one : other
}

const FORMAT =
  /^dlr-mo-connector:1 items=(\d{1,15}) parts=(\d{1,9})\/(\d{1,9}) digest=([0-9a-f]{32})(?: parts-digest=([0-9a-f]{32}))?$/

/** Returns the metadata that is committed with the position; empty if the position is between two entries. */
export const formatPlace = (place: PlaceInEntry | null): string =>
  place === null
    ? ''
    : `dlr-mo-connector:1 items=${place.items} parts=${place.parts}/${place.partCount} digest=${place.digest}` +
      (place.partsDigest === '' ? '' : ` parts-digest=${place.partsDigest}`)

/** Reads what `formatPlace` has written. Any other text is no place, so that its entry is published from its beginning. */
export const parsePlace = (metadata: string): PlaceInEntry | null => {
  const [, items, parts, partCount, digest, partsDigest = ''] = FORMAT.exec(metadata) ?? []
  if (digest === undefined) return null
  return { items: Number(items), parts: Number(parts), partCount: Number(partCount), partsDigest, digest }
}

/** Returns the digest of the records of an item; empty if there are none. */
export function digestOfParts(values: readonly Uint8Array[]): string {
  if (values.length === 0) return ''
  const hash = createHash('sha256')
  for (const value of values) hash.update(`${value.byteLength}\n`).update(value)
  return hash.digest('hex').slice(0, 32)
}

/** Computes the digest of the items of an entry while they are decoded. */
export class ItemDigest {
  readonly #hash = createHash('sha256')
  /** Most entries are published as a whole and never need their digest, so the ids are hashed only when it is asked for. */
  #ids: string[] = []

  add(kind: string, eventId: string): void {
    this.#ids.push(kind, eventId)
  }

  /** Returns the digest of the items that were added so far. */
  value(): string {
    this.#hash.update(this.#ids.map((id) => `${id}\n`).join(''))
    this.#ids = []
    return this.#hash.copy().digest('hex').slice(0, 32)
  }
}
