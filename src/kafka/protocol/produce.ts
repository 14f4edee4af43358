/** The Produce request. The whole request, with the record batches of several partitions, is written into one buffer. */
import { APIS } from './apis.js'
import type { PartitionError, ProtocolRequest, Throttled } from './requests.js'
import type { WireReader } from './wire.js'

/** One record batch for one partition, as it goes onto the wire. */
export interface PartitionBatch {
  readonly topic: string
  readonly partition: number
  readonly bytes: Buffer
}

export interface ProducedPartition extends PartitionError {
  /** Explains an error, from version 8 on; null if the broker does not. */
  readonly errorMessage: string | null
}

export interface ProduceResponse extends Throttled {
  readonly partitions: readonly ProducedPartition[]
}

/** All in-sync replicas must have the records before the broker answers. */
const ACKS_ALL = -1

/**
 * @param batches at most one for each partition
 * @param timeoutMs how long the leader waits for the other replicas
 */
export const produceRequest = (
  transactionalId: string | null,
  batches: readonly PartitionBatch[],
  timeoutMs: number,
): ProtocolRequest<ProduceResponse> => ({
  api: APIS.produce,
  write: (writer) => {
    writer.nullableString(transactionalId).int16(ACKS_ALL).int32(timeoutMs)
    writer.array([...groupByTopic(batches)], ([topic, ofTopic]) => {
      writer.string(topic).array(ofTopic, ({ partition, bytes }) => {
        writer.int32(partition).bytesLength(bytes.length).raw(bytes).endOfStructure()
      })
      writer.endOfStructure()
    })
    writer.endOfStructure()
  },
  read: readProduceResponse,
})

function groupByTopic(batches: readonly PartitionBatch[]): Map<string, PartitionBatch[]> {
  const byTopic = new Map<string, PartitionBatch[]>()
  for (const batch of batches) {
    const ofTopic = byTopic.get(batch.topic)
    if (ofTopic) ofTopic.push(batch)
    else byTopic.set(batch.topic, [batch])
  }
  return byTopic
}

function readProduceResponse(reader: WireReader, version: number): ProduceResponse {
  const partitions: ProducedPartition[] = []
  reader.array(() => {
    const topic = reader.string()
    reader.array(() => {
      const partition = reader.int32()
      const errorCode = reader.int16()
      reader.int64() // the base offset
      reader.int64() // the append time
      if (version >= 5) reader.int64() // the start offset of the log
      let recordMessage: string | null = null
      let errorMessage: string | null = null
      if (version >= 8) {
        reader.array(() => {
          reader.int32()
          const message = reader.nullableString()
          recordMessage ??= message
          reader.endOfStructure()
        })
        errorMessage = reader.nullableString()
      }
      reader.endOfStructure()
      partitions.push({ topic, partition, errorCode, errorMessage: recordMessage ?? errorMessage })
    })
    reader.endOfStructure()
  })
  const throttleTimeMs = reader.int32()
  reader.endOfStructure()
  return { partitions, throttleTimeMs }
}
