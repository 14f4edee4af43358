import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import kafkajs from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { createKafkajsCluster, NEEDED_OF_CLUSTER } from '../../../src/kafka/kafkajs-workarounds/kafkajs-cluster.js'

const require = createRequire(import.meta.url)
const kafka = new kafkajs.Kafka({ brokers: ['127.0.0.1:1'], logLevel: kafkajs.logLevel.NOTHING })

describe('The internals of kafkajs that the producers use', () => {
  it('are those of the version that is pinned', () => {
    const { version } = require('kafkajs/package.json') as { version: string }
    const { dependencies } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
      dependencies: Record<string, string>
    }
    expect([version, dependencies['kafkajs']]).toEqual(['2.2.4', '2.2.4'])
  })

  it('are in the cluster that kafkajs creates', () => {
    const cluster = createKafkajsCluster(kafka) as unknown as Record<string, unknown> & { brokerPool: object }
    for (const name of NEEDED_OF_CLUSTER) expect(cluster[name], name).toBeTypeOf('function')
    expect(cluster.brokerPool).toHaveProperty('findConnectedBroker')
  })

  it('are missed with a sentence that names the version', () => {
    expect(() => createKafkajsCluster({} as never)).toThrow(
      'the installed kafkajs has no property private:Kafka:createCluster; this program needs kafkajs 2.2.4',
    )
  })

  it('copy the bytes of a request as soon as they have read them', async () => {
    const createRequest = require('kafkajs/src/protocol/request') as (options: object) => Promise<{ buffer: Buffer }>
    const shared = Buffer.from('first')
    const encoder = { buf: Buffer.alloc(0), buffer: shared }
    const request = { apiKey: 1, apiVersion: 2, encode: () => Promise.resolve(encoder) }
    const created = await createRequest({ correlationId: 3, clientId: 'id', request })
    shared.write('other')
    expect(created.buffer.toString('latin1')).toMatch(/first$/)
    expect(created.buffer.readInt32BE(0)).toBe(created.buffer.length - 4)
  })
})
