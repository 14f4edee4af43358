/**
 * Sends a batch and verifies that every partition acknowledged it.
 *
 * Defect: kafkajs 2.2.4 sends nothing and reports success for a partition that is missing from its metadata, for example after
 * a topic was recreated with fewer partitions. Effect: the records of that partition would be lost.
 *
 * This file can go when the client no longer is kafkajs.
 */
import type { Message, ProducerBatch, RecordMetadata } from 'kafkajs'

/** @throws Error if a partition is not among those that acknowledged the batch */
export async function sendAndVerify(
  target: { sendBatch(batch: ProducerBatch): Promise<RecordMetadata[]> },
  batch: ProducerBatch & { readonly topicMessages: NonNullable<ProducerBatch['topicMessages']> },
): Promise<void> {
  const acknowledgements = await target.sendBatch({ acks: -1, ...batch })
  const acknowledged = new Set(acknowledgements.map(({ topicName, partition }) => `${topicName} ${partition}`))
  for (const { topic, messages } of batch.topicMessages) {
    for (const partition of new Set(messages.map((message: Message) => message.partition))) {
      if (!acknowledged.has(`${topic} ${partition}`)) {
        throw new Error(`partition ${partition} of topic ${topic} did not acknowledge its records`)
      }
    }
  }
}
