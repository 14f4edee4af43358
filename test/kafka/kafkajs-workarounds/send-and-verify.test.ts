import { describe, expect, it } from 'vitest'
import { sendAndVerify } from '../../../src/kafka/kafkajs-workarounds/send-and-verify.js'

const messages = [0, 2, 2].map((partition) => ({ key: null, value: 'x', partition }))
const answering = (...partitions: number[]) => ({
  sendBatch: () => Promise.resolve(partitions.map((partition) => ({ topicName: 'a', partition, errorCode: 0 }))),
})

describe('sendAndVerify', () => {
  it('succeeds when every partition has acknowledged', async () => {
    await sendAndVerify(answering(0, 2), { topicMessages: [{ topic: 'a', messages }] })
  })

  it('fails when a partition is missing from the acknowledgements, as kafkajs omits partitions that it does not know', async () => {
    await expect(sendAndVerify(answering(0), { topicMessages: [{ topic: 'a', messages }] })).rejects.toThrow(
      'partition 2 of topic a',
    )
    await expect(sendAndVerify(answering(), { topicMessages: [{ topic: 'a', messages }] })).rejects.toThrow(
      'partition 0 of topic a',
    )
  })
})
