import { connect } from 'node:net'
import { Kafka, logLevel } from 'kafkajs'
import { retryFor } from '../wait.js'

/** The part of a Confluent-compatible registry's address that Apicurio adds; the bare `/subjects` answers 404 there. */
export const APICURIO_PATH = '/apis/ccompat/v7'

/** Resolves once the cluster answers a metadata request and names a broker: then it takes records. */
export async function waitForBroker(brokers: string[], patienceMs: number, gaveUp?: () => void): Promise<void> {
  // The bare port first: kafkajs backs off between its tries, which would cost a broker that is up in 3 s some more.
  await retryFor(() => Promise.any(brokers.map(portIsOpen)), patienceMs, gaveUp)
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
    patienceMs,
    gaveUp,
  )
}

/** Resolves once the registry lists its subjects. `url` without a slash at the end. */
export async function waitForRegistry(url: string, patienceMs: number, gaveUp?: () => void): Promise<void> {
  await retryFor(
    async () => {
      const answer = await fetch(`${url}/subjects`, { signal: AbortSignal.timeout(2_000) })
      await answer.arrayBuffer()
      // Any Confluent-compatible registry will do, one that wants credentials (401, 403) included: it is there.
      if (!answer.ok && answer.status !== 401 && answer.status !== 403) {
        throw new Error(`GET ${url}/subjects answered ${answer.status}`)
      }
    },
    patienceMs,
    gaveUp,
  )
}

function portIsOpen(address: string): Promise<void> {
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
