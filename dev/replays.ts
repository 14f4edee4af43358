/** Hands dead letters in again at connectors, and reads the marks of what was published of them. */
import { readCommitted } from './kafka/committed-reader.js'
import type { TopicRecord } from './oracle/topic-reader.js'
import { parseMark } from '../src/encode/replay-marks.js'

/** @throws Error when the connector can't be reached. @returns the status of its answer; 202 once the entry is on disk */
export async function replayDeadLetter(adminUrl: string, { value }: TopicRecord): Promise<number> {
  const { source, provider, via, receivedAt, request, body, eventId, reason } = value
  const entry = {
    source,
    provider,
    via,
    receivedAt: Number(receivedAt),
    facts: request,
    body: Buffer.from(body as Uint8Array).toString('base64'),
    origin: { kind: 'dead-letter', eventId, reason },
  }
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${adminUrl}/journal/entries`, {
    method: 'POST',
    headers,
    body: JSON.stringify(entry),
    signal: AbortSignal.timeout(10_000),
  })
  await answer.arrayBuffer()
  return answer.status
}

export interface ReplayMarks {
  /** The event ids of the dead letters that are closed. */
  readonly closed: ReadonlySet<string>
  /** The dead letter of each item that is marked, by the event id of the item. */
  readonly items: ReadonlyMap<string, string>
}

export async function readReplayMarks(brokers: readonly string[], topic: string): Promise<ReplayMarks> {
  const closed = new Set<string>()
  const items = new Map<string, string>()
  for (const { value } of await readCommitted(brokers, topic)) {
    const mark = parseMark(value.toString())
    if (mark === undefined) throw new Error(`this record of ${topic} is no mark: ${value.toString()}`)
    if ('eventId' in mark) items.set(mark.eventId, mark.deadLetter)
    else closed.add(mark.deadLetter)
  }
  return { closed, items }
}
