import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.js'
import { createCompressor, type RecordCompressor } from '../../src/kafka/compression.js'
import type { BrokerConnection } from '../../src/kafka/kafkajs-workarounds/kafkajs-cluster.js'
import { writeRequest } from '../../src/kafka/kafkajs-workarounds/kafkajs-cluster.js'
import type { ProduceResponse } from '../../src/kafka/protocol/produce.js'
import type { ProtocolRequest } from '../../src/kafka/protocol/requests.js'
import type { OutgoingRecord } from '../../src/kafka/publisher.js'
import { BATCH_HEADER_BYTES, maxEncodedBytes } from '../../src/kafka/record-batch.js'
import { RecordSender } from '../../src/kafka/record-sender.js'
import { RecordTimestamps } from '../../src/kafka/record-timestamps.js'

/** A record batch in a request, as the fake leader finds it. */
interface Received {
  readonly leader: number
  readonly topic: string
  readonly partition: number
  readonly bytes: Buffer
  readonly baseSequence: number
  readonly count: number
}

const MAX_BATCH_BYTES = 10_000
const VERSION = 8

/** Brokers that keep what they receive, and answer with the codes that `answer` returns. */
class FakeBrokers {
  readonly received: Received[] = []
  readonly requestBytes: number[] = []
  /** By partition; the same for every topic. */
  leaders = [1, 2, 1]
  refreshes = 0
  /** How many requests were under way when the last one was sent. */
  requestsAtOnce = 0
  #underWay = 0
  /** Partitions with a request under way. */
  readonly #busy = new Set<string>()
  answer: (batch: Received) => number | undefined = () => 0
  onRefresh: () => void = () => undefined

  readonly brokers = {
    find: (nodeId: number): Promise<BrokerConnection> => {
      const send = () => Promise.reject(new Error('not used'))
      return Promise.resolve({ nodeId, address: `broker ${nodeId}`, versions: {}, send })
    },
    partitionsOf: () => this.leaders.map((leader, partitionId) => ({ partitionId, leader })),
    refreshMetadata: () => {
      this.refreshes++
      this.onRefresh()
      return Promise.resolve()
    },
  }
  readonly requests = {
    sendOnce: async <T>({ nodeId }: BrokerConnection, request: ProtocolRequest<T>): Promise<T> => {
      const bytes = writeRequest(request, VERSION)
      this.requestBytes.push(bytes.length)
      const batches = readProduceRequest(bytes, nodeId)
      const names = batches.map(({ topic, partition }) => `${topic} ${partition}`)
      for (const name of names) {
        expect(this.#busy.has(name), 'one request at a time for each partition').toBe(false)
        this.#busy.add(name)
      }
      this.#underWay++
      this.requestsAtOnce = this.#underWay
      await new Promise(setImmediate)
      for (const name of names) this.#busy.delete(name)
      await new Promise(setImmediate)
      this.#underWay--
      const partitions = []
      for (const batch of batches) {
        this.received.push(batch)
        const errorCode = this.answer(batch)
        if (errorCode !== undefined) {
          partitions.push({ topic: batch.topic, partition: batch.partition, errorCode, errorMessage: null })
        }
      }
      const response: ProduceResponse = { partitions, throttleTimeMs: 0 }
      return response as T
    },
  }
}

/** Reads a Produce request of version 8, which has no compact lengths. */
function readProduceRequest(bytes: Buffer, leader: number): Received[] {
  let at = 0
  const int16 = (): number => bytes.readInt16BE((at += 2) - 2)
  const int32 = (): number => bytes.readInt32BE((at += 4) - 4)
  const text = (): string => {
    const length = int16()
    return bytes.toString('utf8', at, (at += length))
  }
  expect([text(), int16(), int32()]).toEqual(['id', -1, 100])
  const found: Received[] = []
  for (let topics = int32(); topics > 0; topics--) {
    const topic = text()
    for (let partitions = int32(); partitions > 0; partitions--) {
      const partition = int32()
      const length = int32()
      const batch = Buffer.from(bytes.subarray(at, (at += length)))
      const [baseSequence, count] = [batch.readInt32BE(53), batch.readInt32BE(57)]
      found.push({ leader, topic, partition, bytes: batch, baseSequence, count })
    }
  }
  expect(at).toBe(bytes.length)
  return found
}

const context = {
  identity: { producerId: 7n, producerEpoch: 0 },
  transactionalId: 'id',
  level: 0,
  latest: Infinity,
}
const partitionOf = (_topic: string, key: string): number => Number(key) % 3

const create = (compressor: RecordCompressor = { type: 0 }) => {
  const fake = new FakeBrokers()
  const closing = new AbortController()
  const sender = new RecordSender({
    brokers: fake.brokers,
    requests: fake.requests,
    partitionOf,
    compressor,
    timestamps: new RecordTimestamps(systemClock),
    maxBatchBytes: MAX_BATCH_BYTES,
    requestTimeoutMs: 100,
    clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 1), signal) },
    signal: closing.signal,
  })
  const send = async (records: readonly OutgoingRecord[]): Promise<void> =>
    sender.send(await sender.writeBatches(records), context)
  return { fake, sender, send, closing }
}

const record = (key: string, text: string, topic = 'a'): OutgoingRecord => ({
  topic,
  key,
  value: Buffer.from(text),
  headers: {},
})
const anyRecord: fc.Arbitrary<OutgoingRecord> = fc.record({
  topic: fc.constantFrom('a', 'b'),
  key: fc.integer({ min: 0, max: 9 }).map(String),
  value: fc.integer({ min: 0, max: MAX_BATCH_BYTES - 300 }).map((length) => Buffer.alloc(length)),
  headers: fc.constant({ ce_id: 'x' }),
})
const numbered = fc
  .array(anyRecord, { maxLength: 60 })
  .map((records) => records.map((each, i) => ({ ...each, headers: { ce_id: `#${i}#` } })))

describe('The record sender', () => {
  it('sends every record once, in order for each partition, in batches within the limit, with gapless sequences', async () => {
    await fc.assert(
      fc.asyncProperty(numbered, async (records) => {
        const { fake, send } = create()
        await send(records)
        for (const topic of ['a', 'b']) {
          for (const partition of [0, 1, 2]) {
            const batches = fake.received.filter((each) => each.topic === topic && each.partition === partition)
            const sent = batches.flatMap(({ bytes }) => bytes.toString('latin1').match(/#\d+#/g) ?? [])
            const expected = records.filter(
              (each) => each.topic === topic && partitionOf(topic, each.key) === partition,
            )
            expect(sent).toEqual(expected.map(({ headers }) => headers.ce_id))
            let sequence = 0
            for (const { baseSequence, count, bytes } of batches) {
              expect(baseSequence).toBe(sequence)
              expect(bytes.length).toBeLessThanOrEqual(MAX_BATCH_BYTES)
              sequence += count
            }
          }
        }
      }),
      { numRuns: 60 },
    )
  })

  it('puts records that fit together into one request for each leader', async () => {
    const { fake, send } = create()
    await send(['0', '1', '2', '0', '1', '2'].map((key) => record(key, 'x')))
    expect(fake.received.map(({ leader, partition, count }) => `${leader} ${partition} ${count}`).sort()).toEqual([
      '1 0 2',
      '1 2 2',
      '2 1 2',
    ])
    expect(fake.requestBytes).toHaveLength(2)
  })

  it.each([
    [0, 2, 2],
    [2, 1, 2],
  ])(
    'at feature level %i asks %i leaders at once to add partitions, and %i afterwards',
    async (level, first, later) => {
      const { fake, sender } = create()
      const value = Buffer.alloc(MAX_BATCH_BYTES / 2)
      const records = ['0', '1', '0', '1'].map((key) => ({ ...record(key, ''), value }))
      const atOnce: number[] = []
      fake.answer = () => {
        atOnce.push(fake.requestsAtOnce)
        return 0
      }
      await sender.send(await sender.writeBatches(records), { ...context, level })
      expect([Math.max(...atOnce.slice(0, 2)), Math.max(...atOnce.slice(2))]).toEqual([first, later])
    },
  )

  it('bounds the size of a request to many partitions', async () => {
    const fake = new FakeBrokers()
    fake.leaders = Array.from({ length: 40 }, () => 1)
    const sender = new RecordSender({
      brokers: fake.brokers,
      requests: fake.requests,
      partitionOf: (_topic, key) => Number(key),
      compressor: { type: 0 },
      timestamps: new RecordTimestamps(systemClock),
      maxBatchBytes: 900 * 1024,
      requestTimeoutMs: 100,
      clock: systemClock,
      signal: new AbortController().signal,
    })
    const value = Buffer.alloc(200 * 1024)
    const records = Array.from({ length: 40 }, (_, i) => ({ topic: 'a', key: String(i), value, headers: {} }))
    await sender.send(await sender.writeBatches(records), context)
    expect(fake.requestBytes).toHaveLength(8)
    expect(Math.max(...fake.requestBytes)).toBeLessThan(1.1 * 1024 * 1024)
  })

  it('goes on with the sequence numbers of a partition, and behind the highest one at 0', async () => {
    const { fake, sender, send } = create()
    await send([record('0', 'x'), record('0', 'x')])
    await send([record('0', 'x')])
    expect(fake.received.map(({ baseSequence }) => baseSequence)).toEqual([0, 2])
    sender.resetSequences()
    await send([record('0', 'x')])
    expect(fake.received.at(-1)!.baseSequence).toBe(0)
  })

  it.each([
    ['NOT_ENOUGH_REPLICAS', 19, 0],
    ['NOT_LEADER_OR_FOLLOWER', 6, 1],
    ['REQUEST_TIMED_OUT', 7, 0],
  ])(
    'sends the same bytes again after %s, and only to the partition that was refused',
    async (_name, code, refreshes) => {
      const { fake, send } = create()
      let isFirst = true
      fake.answer = ({ partition }) => {
        if (partition !== 1 || !isFirst) return 0
        isFirst = false
        return code
      }
      fake.onRefresh = () => void (fake.leaders = [1, 1, 1])
      await send([record('0', 'x'), record('1', 'y'), record('1', 'z')])
      expect(fake.refreshes).toBe(refreshes)
      expect(fake.received.map(({ partition, leader }) => [partition, leader])).toEqual([
        [0, 1],
        [1, 2],
        [1, refreshes === 1 ? 1 : 2],
      ])
      expect(fake.received[1]!.bytes.equals(fake.received[2]!.bytes)).toBe(true)
    },
  )

  it.each([
    ['MESSAGE_TOO_LARGE', 10],
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', 45],
    ['INVALID_PRODUCER_EPOCH', 47],
    ['UNKNOWN_PRODUCER_ID', 59],
    ['error code 999', 999],
  ])('gives up after %s, and names topic and partition', async (type, code) => {
    const { fake, send } = create()
    fake.answer = () => code
    await expect(send([record('1', 'x')])).rejects.toMatchObject({ type, subject: { topic: 'a', partition: 1 } })
    expect(fake.received).toHaveLength(1)
  })

  it('gives up when a partition is missing in the answer', async () => {
    const { fake, send } = create()
    fake.answer = ({ partition }) => (partition === 2 ? undefined : 0)
    await expect(send([record('0', 'x'), record('2', 'x')])).rejects.toThrow(
      'partition 2 of topic a did not acknowledge',
    )
  })

  it('gives up when a leader stays away for three request timeouts', async () => {
    const { fake, send } = create()
    fake.leaders = [-1, 2, 1]
    await expect(send([record('0', 'x')])).rejects.toMatchObject({ type: 'LEADER_NOT_AVAILABLE' })
    expect(fake.refreshes).toBeGreaterThan(2)
    expect(fake.received).toEqual([])
  })

  it('gives up when the producer is closed', async () => {
    const { fake, send, closing } = create()
    fake.answer = () => {
      closing.abort()
      return 19
    }
    await expect(send([record('0', 'x')])).rejects.toMatchObject({ type: 'NOT_ENOUGH_REPLICAS' })
    expect(fake.received).toHaveLength(1)
  })

  it('writes the time of each record into its batch', async () => {
    const { fake, send } = create()
    await send([{ ...record('0', 'x'), timestamp: 1_795_328_036_471 }])
    expect(fake.received[0]!.bytes.readBigInt64BE(27)).toBe(1_795_328_036_471n)
  })

  it('never makes a batch of several records that is larger than the limit', async () => {
    const { fake, send } = create()
    const each = { ...record('0', ''), value: Buffer.alloc(MAX_BATCH_BYTES / 2) }
    expect(2 * maxEncodedBytes(each)).toBeGreaterThan(MAX_BATCH_BYTES)
    await send([each, each, each])
    expect(fake.received.map(({ count }) => count)).toEqual([1, 1, 1])
  })

  it('sends a batch that its codec would make larger without compression, so that it stays within the limit', async () => {
    const { fake, send } = create(createCompressor('gzip'))
    const empty = { ...record('0', ''), value: Buffer.alloc(0) }
    const length = MAX_BATCH_BYTES - BATCH_HEADER_BYTES - maxEncodedBytes(empty)
    const incompressible = { ...empty, value: randomBytes(length) }
    const compressible = { ...empty, value: Buffer.alloc(length) }
    await send([incompressible, compressible])
    const [first, second] = fake.received.map(({ bytes }) => ({
      codec: bytes.readInt16BE(21) & 0x07,
      isWithinLimit: bytes.length <= MAX_BATCH_BYTES,
    }))
    expect(first).toEqual({ codec: 0, isWithinLimit: true })
    expect(second).toEqual({ codec: 1, isWithinLimit: true })
  })
})
