import { describe, expect, it } from 'vitest'
import { BrokerError } from '../../../src/kafka/broker-error.js'
import { ERROR_CODES, meaningOf } from '../../../src/kafka/protocol/error-codes.js'

describe('The table of error codes', () => {
  it.each(Object.entries(ERROR_CODES))(
    'says of code %s what an operator can do, if nothing else helps',
    (_code, meaning) => {
      expect(meaning.name).toMatch(/^[A-Z_]+$/)
      expect(meaning.meaning).toMatch(/^[a-z]/)
      if (meaning.reaction === 'refused') expect(meaning.remedy).toMatch(/./)
      if (meaning.reaction === 'repeat') expect(meaning.remedy).toBeUndefined()
    },
  )

  it.each([
    ['Produce', [2, 3, 6, 10, 17, 18, 19, 20, 21, 29, 31, 43, 47, 48, 49, 51, 53, 87]],
    ['TxnOffsetCommit', [7, 12, 14, 15, 16, 22, 25, 28, 30, 43, 47, 53, 82]],
    ['OffsetFetch', [14, 16, 24, 29, 30, 88]],
  ])("has every code that Kafka's source lists for the answer to %s", (_apiName, codes) => {
    expect(codes.filter((code) => ERROR_CODES[code] === undefined)).toEqual([])
  })

  it('gives up the producer after a code that it does not have', () => {
    expect(meaningOf(999)).toMatchObject({ name: 'error code 999', reaction: 'new-producer' })
  })
})

describe('The error of a broker', () => {
  it('names request, partition, topic, code and setting', () => {
    const error = new BrokerError('Produce', { topic: 'sms.dlr', partition: 3, errorCode: 10 })
    expect(error.message).toBe(
      'Kafka answered Produce for partition 3 of topic sms.dlr with MESSAGE_TOO_LARGE: a record batch is larger than the topic ' +
        'allows; lower kafka.maxBatchBytes below max.message.bytes of topic sms.dlr, or raise max.message.bytes',
    )
    expect(error).toMatchObject({ type: 'MESSAGE_TOO_LARGE', code: 10, reaction: 'refused' })
  })

  it.each([
    ['Produce', 'grant Write on topic t'],
    ['AddPartitionsToTxn', 'grant Write on topic t'],
    ['TxnOffsetCommit', 'grant Read on topic t'],
    ['OffsetFetch', 'grant Describe on topic t'],
  ])('of %s names the right that is missing on a topic', (apiName, advice) => {
    expect(new BrokerError(apiName, { topic: 't', errorCode: 29 }).message).toContain(advice)
  })

  it('names the group, the transactional id, and the explanation of the broker', () => {
    expect(new BrokerError('TxnOffsetCommit', { group: 'g', errorCode: 30 }).message).toContain('grant Read on group g')
    expect(new BrokerError('InitProducerId', { transactionalId: 'id', errorCode: 53 }).message).toContain(
      'grant Write and Describe on transactional id id',
    )
    expect(new BrokerError('InitProducerId', { transactionalId: 'id', errorCode: 50 }).message).toContain(
      'lower kafka.transactionTimeout, or raise transaction.max.timeout.ms of the brokers',
    )
    const explained = new BrokerError('Produce', { topic: 't', errorCode: 32, errorMessage: 'out of range' })
    expect(explained.message).toMatch(
      /this machine's clock differs from the broker's .*; the broker explains: out of range$/,
    )
  })
})
