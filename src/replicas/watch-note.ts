/** Messages to watch, on their way to the replica that reconciles their source: a record of the sharing topic. */
import type { KafkaMessage } from 'kafkajs'
import type { WatchedMessage } from '../journal/journal.js'

/** For which source, and which messages since when. */
export interface WatchNote {
  readonly source: string
  readonly watched: readonly Pick<WatchedMessage, 'messageId' | 'since'>[]
}

/** Ids in one record: some 300 bytes each at most. */
export const MOST_IN_A_NOTE = 1_000

/** `{"watch": [["<message id>", <ms since the epoch>], …]}`; no key, so that a topic that is compacted takes none. */
export const writeNote = ({ source, watched }: WatchNote): string =>
  JSON.stringify({ source, watch: watched.map(({ messageId, since }) => [messageId, since]) })

/** @returns undefined for what is no such note */
export function readNote({ value }: Pick<KafkaMessage, 'value'>): WatchNote | undefined {
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
