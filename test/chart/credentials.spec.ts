import { readFile } from 'node:fs/promises'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { SevenSimulator } from '../../dev/simulators/seven.js'
import { retryFor } from '../../dev/wait.js'
import { startBasicRegistry } from './support/basic-registry.js'
import type { BasicRegistry } from './support/basic-registry.js'
import type { Values } from './support/helm.js'
import { InstalledConnector } from './support/installed.js'
import { PASSWORD, USER, startSecureBroker } from './support/secure-broker.js'
import type { Right, SecureBroker } from './support/secure-broker.js'

const KAFKA_USER = new URL('../../examples/kubernetes/strimzi/kafka-user.yaml', import.meta.url)
const TOPICS = ['sms.dlr', 'sms.mo', 'sms.dead-letter', 'dlr-mo-connector.sources']
const PATIENCE_MS = 60_000

// Undefined if the broker did not start.
let broker: SecureBroker
let registry: BasicRegistry
let seven: SevenSimulator
let rights: Right[]

beforeAll(async () => {
  broker = await startSecureBroker()
  seven = await SevenSimulator.start()
  registry = await startBasicRegistry('schemas', 'also-right', broker.identity)
  const admin = client().admin()
  await admin.connect()
  await admin.createTopics({ topics: TOPICS.map((topic) => ({ topic, numPartitions: 2 })), waitForLeaders: true })
  await admin.disconnect()
  const user = parse(await readFile(KAFKA_USER, 'utf8')) as { spec: { authorization: { acls: Right[] } } }
  rights = user.spec.authorization.acls
  await broker.allow(rights)
})

afterAll(async () => {
  await seven?.stop()
  await registry?.stop()
  await broker?.stop()
})

function client(): Kafka {
  return new Kafka({ brokers: [broker.backDoor], logLevel: logLevel.NOTHING })
}

const FILES = '/run/secrets/connector'

/** Every credential is in the Secret, as a variable or as a file. */
function values(kafka: Values, secrets: Values = {}): Values {
  return {
    secrets: {
      KAFKA_PASSWORD: PASSWORD,
      AUTHORITY: broker.authority,
      REGISTRY_PASSWORD: 'also-right',
      SEVEN_TOKEN: 'token-of-seven',
      SEVEN_API_KEY: seven.apiKey,
      ...secrets,
    },
    // Node.js does not trust the registry's certificate authority by default (docs/kubernetes.md).
    extraEnv: [{ name: 'NODE_EXTRA_CA_CERTS', value: `${FILES}/AUTHORITY` }],
    config: {
      shutdownGrace: '5s',
      kafka,
      registry: {
        url: registry.url,
        auth: { username: 'schemas', password: `\${file:${FILES}/REGISTRY_PASSWORD}` },
      },
      sources: {
        'seven-main': {
          provider: 'seven',
          callback: { token: '${SEVEN_TOKEN}' },
          reconcile: { url: seven.url, apiKey: '${SEVEN_API_KEY}' },
        },
      },
    },
  }
}

const bySasl = (mechanism: string): Values => ({
  brokers: [broker.address],
  tls: { ca: `${FILES}/AUTHORITY` },
  sasl: { mechanism, username: USER, password: '${KAFKA_PASSWORD}' },
})

async function receipt(connector: InstalledConnector, id: string): Promise<number> {
  const body = new URLSearchParams({ msg_id: id, status: 'DELIVERED' })
  return (await fetch(`${connector.callbacks}/seven-main/token-of-seven`, { method: 'POST', body })).status
}

/** The keys of the receipts that a consumer receives. */
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
      // The last record is followed by the commit marker of its transaction.
      if (high !== undefined && BigInt(payload.lastOffset) + 1n >= high) missing.delete(payload.partition)
      if (missing.size === 0) resolve()
    })
    consumer.run({ eachMessage: async ({ message }) => void keys.push(String(message.key)) }).catch(reject)
  }).finally(() => consumer.disconnect())
  return keys
}

/** Resolves when a consumer has received the receipt. */
const arrival = (id: string, connector: InstalledConnector): Promise<void> =>
  retryFor(async () => {
    if (!(await published()).includes(id)) throw new Error(await connector.log())
  }, PATIENCE_MS)

async function withConnector(given: Values, work: (connector: InstalledConnector) => Promise<void>): Promise<void> {
  const connector = await InstalledConnector.start(given)
  try {
    await work(connector)
  } finally {
    expect(await connector.stop()).toBe(0)
  }
}

describe('The broker of these tests', () => {
  it('refuses clients without credentials or without a certificate', async () => {
    const ssl = { ca: [broker.authority] }
    for (const address of [broker.address, broker.mutualAddress]) {
      const admin = new Kafka({ brokers: [address], ssl, logLevel: logLevel.NOTHING, retry: { retries: 0 } }).admin()
      await expect(admin.connect().then(() => admin.listTopics())).rejects.toThrow()
      await admin.disconnect()
    }
  })
})

describe.each(['plain', 'scram-sha-256', 'scram-sha-512'])(
  'by TLS and SASL %s, and a registry with Basic credentials',
  (mechanism) => {
    it('lets the connector publish with the secrets of the chart and the rights of the example', async () => {
      await withConnector(values(bySasl(mechanism)), async (connector) => {
        expect(await receipt(connector, `77-${mechanism}`)).toBe(200)
        await arrival(`77-${mechanism}`, connector)
        // With two replicas, which is the default of the chart, they share.
        await retryFor(async () => {
          if (!(await connector.log()).includes('has joined the group')) throw new Error(await connector.log())
        }, PATIENCE_MS)
        const log = await connector.log()
        expect(log).not.toContain(PASSWORD)
        // No right is missing for publishing, sharing or reconciling.
        expect(log).not.toMatch(/authoriz/i)
      })
      expect(registry.turnedAway()).toBe(0)
    })
  },
)

it('The connector publishes with a client certificate as in the example for Strimzi', async () => {
  const { key, certificate } = broker.user
  const tls = { ca: `${FILES}/AUTHORITY`, cert: `${FILES}/USER_CERT`, key: `${FILES}/USER_KEY` }
  const given = values({ brokers: [broker.mutualAddress], tls }, { USER_CERT: certificate, USER_KEY: key })
  await withConnector(given, async (connector) => {
    expect(await receipt(connector, '79')).toBe(200)
    await arrival('79', connector)
  })
})

it('The connector takes callbacks with a wrong Kafka password, and its log names the cause', async () => {
  await withConnector(values(bySasl('scram-sha-512'), { KAFKA_PASSWORD: 'wrong' }), async (connector) => {
    expect(await receipt(connector, '78')).toBe(200)
    await retryFor(async () => {
      if (!/[Aa]uthentication/.test(await connector.log())) throw new Error('the log does not name the cause yet')
    }, PATIENCE_MS)
    expect(await (await fetch(`${connector.admin}/metrics`)).text()).toMatch(/^dlrmo_journal_entries 1$/m)
  })
  expect(await published()).not.toContain('78')
})

it('The connector takes callbacks with wrong registry credentials, and its log names the cause', async () => {
  await withConnector(values(bySasl('plain'), { REGISTRY_PASSWORD: 'wrong' }), async (connector) => {
    expect(await receipt(connector, '80')).toBe(200)
    await retryFor(async () => {
      if (!/\b401\b/.test(await connector.log())) throw new Error('the log does not name the cause yet')
    }, PATIENCE_MS)
    expect(await (await fetch(`${connector.admin}/readyz`)).text()).toBeTruthy()
  })
  expect(await published()).not.toContain('80')
})

it('The connector publishes nothing without the right to read the dead-letter topic, and publishes once the right is granted', async () => {
  const lacking = rights.map((right) =>
    right.resource.name === 'sms.'
      ? { ...right, operations: right.operations.filter((each) => each !== 'Read') }
      : right,
  )
  await broker.forbid()
  await broker.allow(lacking)
  await withConnector(values(bySasl('plain')), async (connector) => {
    expect(await receipt(connector, '81')).toBe(200)
    await retryFor(async () => {
      if (!/[Aa]uthoriz/.test(await connector.log())) throw new Error('the log does not name the cause yet')
    }, PATIENCE_MS)
    expect(await published()).not.toContain('81')
    await broker.allow(rights)
    await arrival('81', connector)
  })
})
