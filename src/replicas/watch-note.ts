/** A record of the sharing topic that carries messages to watch to the replica that reconciles their source. */
import type { KafkaMessage } from 'kafkajs'
import type { WatchedMessage } from '../journal/journal.js'

export interface WatchNote {
  readonly source: string
  readonly watched: readonly Pick<WatchedMessage, 'messageId' | 'since'>[]
}

/** A message takes some 300 bytes at most. */
export const MAX_MESSAGES_PER_NOTE = 1_000

/**
 * Returns the note as JSON: `{"source": "…", "watch": [["<message id>", <milliseconds since the epoch>], …]}`. The record has no key,
 * so that a compacted topic refuses it instead of dropping it.
 */
export const encodeWatchNote = ({ source, watched }: WatchNote): string =>
  JSON.stringify({ source, watch: watched.map(({ messageId, since }) => [messageId, since]) })

/** @returns undefined for a record that is not a watch note */
export function decodeWatchNote({ value }: Pick<KafkaMessage, 'value'>): WatchNote | undefined {
  let note: unknown
  try {
    note = JSON.parse(String(value))
  } catch {
    return undefined
  }
  if (!isRecord(note) || typeof note['source'] !== 'string' || !Array.isArray(note['watch'])) return undefined
  const watched = note['watch'].flatMap((each: unknown) => {
    const [messageId, since] = Array.isArray(each) ? (each as unknown[]) : []
    return typeof messageId === 'string' && typeof since === 'number' ? [{ messageId, since }] : []
  })
  return { source: note['source'], watched }
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
