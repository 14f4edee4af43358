import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer, type Server } from 'node:net'
import kafkajs from 'kafkajs'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/core/clock.js'
import {
  createKafkajsCluster,
  KafkajsBrokers,
  NEEDED_OF_CLUSTER,
} from '../../../src/kafka/kafkajs-workarounds/kafkajs-cluster.js'
import { WireReader, WireWriter } from '../../../src/kafka/protocol/wire.js'

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

const PRODUCE = 0
const METADATA = 3
const API_VERSIONS = 18

describe('The brokers of a cluster that is being upgraded', () => {
  const servers: Server[] = []

  afterEach(() => {
    for (const server of servers.splice(0)) server.close()
  })

  /** Starts a broker that answers ApiVersions and Metadata, the latter in version 1. It names the brokers at `ports`. */
  const startBroker = async (maxProduceVersion: number, ports: readonly number[] = []): Promise<number> => {
    const server = createServer((socket) => {
      socket.on('data', (bytes) => {
        const request = new WireReader(bytes, false)
        request.int32() // the length
        const apiKey = request.int16()
        request.int16() // the version
        const response = new WireWriter().int32(0).int32(request.int32())
        if (apiKey === API_VERSIONS) {
          const versions = [
            [PRODUCE, maxProduceVersion],
            [METADATA, 1],
            [API_VERSIONS, 2],
          ] as const
          response.int16(0).array(versions, ([key, maxVersion]) => response.int16(key).int16(0).int16(maxVersion))
          response.int32(0) // no throttling
        } else {
          const brokers = [(server.address() as AddressInfo).port, ...ports]
          response.array([...brokers.entries()], ([nodeId, port]) =>
            response.int32(nodeId).string('127.0.0.1').int32(port).nullableString(null),
          )
          response.int32(0).arrayLength(0) // the controller, and no topics
        }
        const answer = Buffer.from(response.bytes)
        answer.writeInt32BE(answer.length - 4, 0)
        socket.write(answer)
      })
    })
    servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  it('are each asked for the versions that they support', async () => {
    const older = await startBroker(9)
    const upgraded = await startBroker(13, [older])
    const client = new kafkajs.Kafka({ brokers: [`127.0.0.1:${upgraded}`], logLevel: kafkajs.logLevel.NOTHING })
    const times = { requestTimeoutMs: 10_000, connectTimeoutMs: 10_000 }
    const brokers = new KafkajsBrokers(client, times, systemClock)
    try {
      await brokers.connect([])
      await brokers.refreshMetadata()
      const maxVersions = []
      for (const nodeId of [0, 1]) maxVersions.push((await brokers.find(nodeId)).versions[PRODUCE]?.maxVersion)
      expect(maxVersions).toEqual([13, 9])
    } finally {
      await brokers.disconnect()
    }
  })
})
