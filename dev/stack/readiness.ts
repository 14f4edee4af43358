import { connect } from 'node:net'
import { Kafka, logLevel } from 'kafkajs'
import { repairRequestQueues } from '../../src/kafka/kafkajs-workarounds/request-queue-timer.js'
import { retryFor } from '../wait.js'

/** The path at which Apicurio serves the API of Confluent's registry. */
export const APICURIO_PATH = '/apis/ccompat/v7'

/** Resolves once the cluster answers a metadata request and names a broker. It accepts records then. */
export async function waitForBroker(brokers: string[], timeoutMs: number, assertRunning?: () => void): Promise<void> {
  repairRequestQueues()
  // The port is tried first, because kafkajs waits longer and longer between its attempts.
  await retryFor(() => Promise.any(brokers.map(connectOnce)), timeoutMs, assertRunning)
  await retryFor(
    async () => {
      const kafka = new Kafka({ clientId: 'stack', brokers, logLevel: logLevel.NOTHING, retry: { retries: 0 } })
      const admin = kafka.admin()
      try {
        await admin.connect()
        const cluster = await admin.describeCluster()
        if (cluster.brokers.length === 0) throw new Error('the cluster has no live broker yet')
      } finally {
        await admin.disconnect()
      }
    },
    timeoutMs,
    assertRunning,
  )
}

/** Resolves once the registry answers. @param url without a slash at the end */
export async function waitForRegistry(url: string, timeoutMs: number, assertRunning?: () => void): Promise<void> {
  await retryFor(
    async () => {
      const answer = await fetch(`${url}/subjects`, { signal: AbortSignal.timeout(2_000) })
      await answer.arrayBuffer()
      // A registry that demands credentials answers 401 or 403, and is ready too.
      if (!answer.ok && answer.status !== 401 && answer.status !== 403) {
        throw new Error(`GET ${url}/subjects answered ${answer.status}`)
      }
    },
    timeoutMs,
    assertRunning,
  )
}

function connectOnce(address: string): Promise<void> {
  const colon = address.lastIndexOf(':')
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) })
    socket.setTimeout(2_000, () => socket.destroy(new Error(`${address} does not answer`)))
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
  })
}
