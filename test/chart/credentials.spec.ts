import { readFile } from 'node:fs/promises'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { until } from '../../dev/stack/ready.js'
import { startBasicRegistry } from './support/basic-registry.js'
import type { BasicRegistry } from './support/basic-registry.js'
import type { Values } from './support/helm.js'
import { InstalledConnector } from './support/installed.js'
import { PASSWORD, USER, startSecureBroker } from './support/secure-broker.js'
import type { Right, SecureBroker } from './support/secure-broker.js'

const KAFKA_USER = new URL('../../examples/kubernetes/strimzi/kafka-user.yaml', import.meta.url)
const TOPICS = ['sms.dlr', 'sms.mo', 'sms.dead-letter', 'dlr-mo-connector.sources']
const PATIENCE_MS = 30_000

// Undefined where it did not start.
let broker: SecureBroker
let registry: BasicRegistry

beforeAll(async () => {
  broker = await startSecureBroker()
  registry = await startBasicRegistry('schemas', 'also-right')
  const admin = client().admin()
  await admin.connect()
  await admin.createTopics({ topics: TOPICS.map((topic) => ({ topic, numPartitions: 2 })), waitForLeaders: true })
  await admin.disconnect()
  const user = parse(await readFile(KAFKA_USER, 'utf8')) as { spec: { authorization: { acls: Right[] } } }
  await broker.allow(user.spec.authorization.acls)
})

afterAll(async () => {
  await registry?.stop()
  await broker?.stop()
})

function client(): Kafka {
  return new Kafka({ brokers: [broker.backDoor], logLevel: logLevel.NOTHING })
}

/** Every credential is in the Secret: as a variable, or as a file. */
function values(mechanism: string, password: string): Values {
  return {
    secrets: {
      KAFKA_PASSWORD: password,
      KAFKA_CA: broker.authority,
      REGISTRY_PASSWORD: 'also-right',
      SEVEN_TOKEN: 'token-of-seven',
    },
    config: {
      shutdownGrace: '5s',
      kafka: {
        brokers: [broker.address],
        tls: { ca: '/run/secrets/connector/KAFKA_CA' },
        sasl: { mechanism, username: USER, password: '${KAFKA_PASSWORD}' },
      },
      registry: {
        url: registry.url,
        auth: { username: 'schemas', password: '${file:/run/secrets/connector/REGISTRY_PASSWORD}' },
      },
      sources: { 'seven-main': { provider: 'seven', callback: { token: '${SEVEN_TOKEN}' } } },
    },
  }
}

async function receipt(connector: InstalledConnector, id: string): Promise<number> {
  const body = new URLSearchParams({ msg_id: id, status: 'DELIVERED' })
  return (await fetch(`${connector.callbacks}/seven-main/token-of-seven`, { method: 'POST', body })).status
}

/** Keys of the receipts that a consumer sees. */
async function published(): Promise<string[]> {
  const admin = client().admin()
  await admin.connect()
  const ends = await admin.fetchTopicOffsets('sms.dlr').finally(() => admin.disconnect())
  const keys: string[] = []
  const consumer = client().consumer({ groupId: `look-${crypto.randomUUID()}` })
  await consumer.connect()
  await consumer.subscribe({ topic: 'sms.dlr', fromBeginning: true })
  const missing = new Map(
    ends.filter(({ high }) => high !== '0').map(({ partition, high }) => [partition, BigInt(high)]),
  )
  await new Promise<void>((resolve, reject) => {
    if (missing.size === 0) resolve()
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      const high = missing.get(payload.partition)
      // Behind the last record stands the marker of its transaction.
      if (high !== undefined && BigInt(payload.lastOffset) + 1n >= high) missing.delete(payload.partition)
      if (missing.size === 0) resolve()
    })
    consumer.run({ eachMessage: async ({ message }) => void keys.push(String(message.key)) }).catch(reject)
  }).finally(() => consumer.disconnect())
  return keys
}

describe.each(['plain', 'scram-sha-256', 'scram-sha-512'])(
  'by TLS and SASL %s, and a registry with Basic credentials',
  (mechanism) => {
    it('the connector publishes with the secrets of the chart and the rights of the example', async () => {
      const connector = await InstalledConnector.start(values(mechanism, PASSWORD))
      try {
        expect(await receipt(connector, `77-${mechanism}`)).toBe(200)
        await until(async () => {
          if (!(await published()).includes(`77-${mechanism}`)) throw new Error(await connector.log())
        }, PATIENCE_MS)
        expect(await connector.log()).not.toContain(PASSWORD)
      } finally {
        expect(await connector.stop()).toBe(0)
      }
      expect(registry.turnedAway()).toBe(0)
    })
  },
)

it('with a wrong password callbacks are taken all the same, and the log says what is wrong', async () => {
  const connector = await InstalledConnector.start(values('scram-sha-512', 'wrong'))
  try {
    expect(await receipt(connector, '78')).toBe(200)
    await until(async () => {
      if (!/[Aa]uthentication/.test(await connector.log())) throw new Error('nothing is said')
    }, PATIENCE_MS)
    expect(await (await fetch(`${connector.admin}/metrics`)).text()).toMatch(/^dlrmo_journal_entries 1$/m)
  } finally {
    await connector.stop()
  }
  expect(await published()).not.toContain('78')
})
