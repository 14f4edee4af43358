/**
 * The format in which `journal export` writes the entries of a journal: one JSON object on each line.
 *
 * The first line describes the journal, one line for each entry follows, and the last line says that the file is complete. In an
 * entry `body` is Base64 and everything else is as the journal holds it (entry-json.ts). `origin` names the journal and the sequence number,
 * from which the event ids of items without an identity follow: `<journalId>-<seq>-<index of the item>`.
 */
import { formatEntry } from './entry-json.js'
import type { Entry } from './journal.js'

export const EXPORT_FORMAT = 'dlr-mo-connector journal export'
export const EXPORT_VERSION = 1

/** How far the events of the journal are committed in Kafka. */
export interface ExportedPosition {
  /** Every entry up to this sequence number is published; -1 if none is. */
  readonly upTo: number
  /** The metadata of the offset: how far the entry behind `upTo` is published. Empty if nothing of it is. */
  readonly place: string
}

/** The first line. Times are milliseconds since the epoch. */
export interface ExportHeader {
  readonly format: typeof EXPORT_FORMAT
  readonly version: typeof EXPORT_VERSION
  readonly journal: string
  readonly instance: string | null
  readonly exportedAt: number
  readonly releasedUpTo: number
  /** The last sequence number that may be in the file. */
  readonly lastSeq: number
  /** Null if it is not known. */
  readonly position: ExportedPosition | null
  /** The topic under which Kafka holds the position: that of the dead letters. Null without a configuration. */
  readonly positionTopic: string | null
  /** Which process held the journal, and so publishes the same entries; null if none did. */
  readonly heldBy: string | null
  /** For whoever reads the file: how doubles are prevented. */
  readonly note: string
}

/** The last line. */
export interface ExportEnd {
  readonly end: true
  readonly entries: number
  /** The number of entries that the journal holds and that could not be read. */
  readonly unreadable: number
}

/** An entry that was in custody before keeps the origin that its event ids follow from. */
export const formatExportedEntry = ({ seq, ...entry }: Entry, journalId: string): string => {
  const origin = entry.origin ?? { kind: 'import', journalId, seq }
  return `{"seq":${seq},${formatEntry({ ...entry, origin }).slice(1)}`
}
