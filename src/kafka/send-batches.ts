/**
 * Cuts the records of a transaction into sends that the broker takes.
 *
 * kafkajs makes one batch of everything that a send holds for a partition and never splits it, and the broker's limit
 * (`max.message.bytes`) is one of batches. So a send holds at most `maxBatchBytes` for each partition, and a bounded
 * sum. Records of one partition keep their order: within a send, and because sends are awaited one after the other
 * (invariant 4).
 *
 * The messages are wrapped: to be sent with a `wrappedCompression` only.
 */
import type { Message, TopicMessages } from 'kafkajs'
import type { OutgoingRecord } from './publisher.js'
import { encodeContent } from './kafkajs-workarounds/record-codec.js'
import { BATCH_OVERHEAD, FRAME } from './record-size.js'

/** Little enough to be encoded without keeping callbacks waiting, and to cross a slow line within a request's time. */
const MAX_SEND_BYTES = 1024 * 1024

/** Which partition a record belongs to. */
export type Partitioner = (topic: string, key: string) => number

interface Send {
  bytes: number
  readonly topics: Map<string, Message[]>
}

/** Where the next record of a partition goes. */
interface Place {
  send: number
  bytes: number
}

export function splitIntoSends(
  records: readonly OutgoingRecord[],
  maxBatchBytes: number,
  partitionOf: Partitioner,
): TopicMessages[][] {
  const sends: Send[] = []
  const places = new Map<string, Place[]>()
  for (const record of records) {
    const partition = partitionOf(record.topic, record.key)
    const value = encodeContent(record)
    const bytes = FRAME + value.length
    const place = placeOf(places, record.topic, partition)
    if (place.bytes + bytes > maxBatchBytes) nextSend(place)
    while ((sends[place.send]?.bytes ?? 0) + bytes > MAX_SEND_BYTES && sends[place.send]!.bytes > 0) nextSend(place)
    const send = (sends[place.send] ??= { bytes: 0, topics: new Map() })
    send.bytes += bytes
    place.bytes += bytes
    const message: Message = { key: null, value, partition }
    const messages = send.topics.get(record.topic)
    if (messages) messages.push(message)
    else send.topics.set(record.topic, [message])
  }
  return sends.map(({ topics }) => [...topics].map(([topic, messages]) => ({ topic, messages })))
}

const placeOf = (places: Map<string, Place[]>, topic: string, partition: number): Place => {
  let ofTopic = places.get(topic)
  if (!ofTopic) places.set(topic, (ofTopic = []))
  return (ofTopic[partition] ??= { send: 0, bytes: BATCH_OVERHEAD })
}

const nextSend = (place: Place): void => {
  place.send++
  place.bytes = BATCH_OVERHEAD
}
