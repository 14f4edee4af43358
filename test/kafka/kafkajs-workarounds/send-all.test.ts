import { describe, expect, it } from 'vitest'
import { sendAndVerify } from '../../../src/kafka/kafkajs-workarounds/send-all.js'

const messages = [0, 2, 2].map((partition) => ({ key: null, value: 'x', partition }))
const answering = (...partitions: number[]) => ({
  sendBatch: () => Promise.resolve(partitions.map((partition) => ({ topicName: 'a', partition, errorCode: 0 }))),
})

describe('a send', () => {
  it('succeeds when every partition has confirmed', async () => {
    await sendAndVerify(answering(0, 2), { topicMessages: [{ topic: 'a', messages }] })
  })

  it('fails when one is not in the answer, as kafkajs leaves out those that it does not know', async () => {
    await expect(sendAndVerify(answering(0), { topicMessages: [{ topic: 'a', messages }] })).rejects.toThrow(
      'partition 2 of topic a',
    )
    await expect(sendAndVerify(answering(), { topicMessages: [{ topic: 'a', messages }] })).rejects.toThrow(
      'partition 0 of topic a',
    )
  })
})
