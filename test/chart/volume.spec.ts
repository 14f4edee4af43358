import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { startStack } from '../../dev/stack/index.js'
import type { BrokerHandle, Stack } from '../../dev/stack/index.js'
import { retryFor } from '../../dev/wait.js'
import { readExample } from './support/examples.js'
import type { Values } from './support/helm.js'
import { Installation } from './support/installed.js'
import type { KubernetesObject, PodSpec } from './support/objects.js'

const RECEIPTS = ['1', '2', '3']
const PATIENCE_MS = 60_000
/** Every topic has one partition, so that reading it to the end reads everything. */
const TOPIC = 'sms.dlr'

interface Job extends KubernetesObject {
  spec: { template: { spec: PodSpec } }
}

/** Kills the broker, which the connector cannot distinguish from a network that is cut. */
let stack: Stack
let broker: BrokerHandle
let pod: Installation

function values(): Values {
  return {
    replicas: 3,
    secrets: { SEVEN_TOKEN: 'token-of-seven' },
    config: {
      shutdownGrace: '1s',
      kafka: { brokers: stack.brokers, createTopics: { partitions: 1, replicationFactor: 1 } },
      registry: { url: stack.registryUrl },
    },
  }
}

/** The keys of all committed receipts on the topic. */
async function published(): Promise<string[]> {
  const kafka = new Kafka({ brokers: stack.brokers, logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const [end] = await admin.fetchTopicOffsets(TOPIC).finally(() => admin.disconnect())
  const keys: string[] = []
  const consumer = kafka.consumer({ groupId: `look-${crypto.randomUUID()}` })
  await consumer.connect()
  await consumer.subscribe({ topic: TOPIC, fromBeginning: true })
  await new Promise<void>((resolve, reject) => {
    if (end === undefined || end.high === '0') resolve()
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      if (BigInt(payload.lastOffset) + 1n >= BigInt(end?.high ?? 0)) resolve()
    })
    consumer.run({ eachMessage: async ({ message }) => void keys.push(String(message.key)) }).catch(reject)
  }).finally(() => consumer.disconnect())
  return keys
}

beforeAll(async () => {
  stack = await startStack({ own: true })
  if (stack.broker === undefined) throw new Error('a broker that can be killed is needed')
  broker = stack.broker
  pod = await Installation.make(values(), 'sms-dlr-mo-connector-2')
})

afterAll(async () => {
  await pod?.remove()
  await stack?.stop()
})

describe('The volume of a replica that is removed while Kafka is away', () => {
  let first: string[]
  let second: string[]

  beforeAll(async () => {
    const { spec } = (parse(await readExample('drain-volume.yaml'), { merge: true }) as Job).spec.template
    first = [...(spec.initContainers?.[0]?.args ?? [])]
    second = [...spec.containers[0].args]
  })

  const drain = async (args: string[]): Promise<number> => (await pod.launch(...args)).exited

  it('holds what the replica took in, and the replica ends with code 0', async () => {
    await broker.kill()
    const connector = await pod.launch('run')
    await pod.ready(connector)
    for (const id of RECEIPTS) {
      const answer = await fetch(`${pod.callbacks}/seven-main/token-of-seven?msg_id=${id}&status=DELIVERED`)
      expect(answer.status).toBe(200)
    }
    connector.signal('SIGTERM')
    expect(await connector.exited).toBe(0)
    expect(await pod.log()).toMatch(/"entries":3\b.*entries stay in the journal for the next start/)
  })

  it('is not taken for empty while Kafka is away: the job fails and is retried', async () => {
    expect(await drain([...first.slice(0, -1), '2s'])).toBe(3)
  })

  it('still holds its entries after an interrupted drain, which ends with code 0', async () => {
    const interrupted = await pod.launch(...first)
    await retryFor(async () => {
      const answer = await fetch(`${pod.admin}/livez`)
      if (!answer.ok) throw new Error(`/livez answered ${answer.status}`)
    }, PATIENCE_MS)
    interrupted.signal('SIGTERM')
    expect(await interrupted.exited).toBe(0)
    expect((await pod.log()).trimEnd().split('\n').slice(-2).join('\n')).toMatch(/entries stay in the journal/)
  })

  it('is emptied by the job once Kafka is back, each receipt once', async () => {
    await broker.restart()
    expect(await drain(first)).toBe(0)
    // The broker answers a commit before consumers can read what was committed.
    await retryFor(async () => expect(await published()).toEqual(RECEIPTS), PATIENCE_MS)
    expect(await drain(second)).toBe(0)
    expect(await published()).toEqual(RECEIPTS)
  })

  it('serves the returning replica, which publishes nothing twice', async () => {
    const connector = await pod.launch('run')
    await pod.ready(connector)
    await fetch(`${pod.callbacks}/seven-main/token-of-seven?msg_id=4&status=DELIVERED`)
    await retryFor(async () => {
      expect(await published()).toEqual([...RECEIPTS, '4'])
    }, PATIENCE_MS)
    connector.signal('SIGTERM')
    expect(await connector.exited).toBe(0)
  })
})
