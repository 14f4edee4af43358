import type { Message, ProducerBatch, RecordMetadata } from 'kafkajs'

/**
 * Sends, and believes only what is named in the answer: for a partition that is not in its metadata (a topic made again
 * with fewer) kafkajs sends nothing and reports success.
 * @throws Error when a partition has not confirmed
 */
export async function sendAndVerify(
  target: { sendBatch(batch: ProducerBatch): Promise<RecordMetadata[]> },
  batch: ProducerBatch & { readonly topicMessages: NonNullable<ProducerBatch['topicMessages']> },
): Promise<void> {
  const answers = await target.sendBatch({ acks: -1, ...batch })
  const confirmed = new Set(answers.map(({ topicName, partition }) => `${topicName} ${partition}`))
  for (const { topic, messages } of batch.topicMessages) {
    for (const partition of new Set(messages.map((message: Message) => message.partition))) {
      if (!confirmed.has(`${topic} ${partition}`))
        throw new Error(`partition ${partition} of topic ${topic} did not confirm its records`)
    }
  }
}
