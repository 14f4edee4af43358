/** Sets quotas of clients, as `kafka-configs.sh --entity-type clients` does. */
import { systemClock } from '../../src/core/clock.js'
import { KafkajsBrokers } from '../../src/kafka/kafkajs-workarounds/kafkajs-cluster.js'
import type { ProtocolRequest } from '../../src/kafka/protocol/requests.js'
import { kafkaClient } from './topics.js'

const TIMEOUT_MS = 10_000
const ALTER_CLIENT_QUOTAS = { key: 49, name: 'AlterClientQuotas', minVersion: 0, maxVersion: 0, flexibleFrom: 1 }

const alterClientQuotasRequest = (clientId: string, key: string, value: number): ProtocolRequest<number> => ({
  api: ALTER_CLIENT_QUOTAS,
  write: (writer) => {
    const double = Buffer.alloc(8)
    double.writeDoubleBE(value)
    writer.arrayLength(1).arrayLength(1).string('client-id').string(clientId)
    writer.arrayLength(1).string(key).raw(double).boolean(false)
    writer.boolean(false)
  },
  read: (reader) => {
    reader.int32() // the throttle time
    return reader.array(() => reader.int16())[0] ?? 0
  },
})

/** @param bytesPerSecond what producers with this client id may write to each broker */
export async function setProducerQuota(broker: string, clientId: string, bytesPerSecond: number): Promise<void> {
  const times = { requestTimeoutMs: TIMEOUT_MS, connectTimeoutMs: TIMEOUT_MS }
  const brokers = new KafkajsBrokers(kafkaClient([broker]), times, systemClock)
  await brokers.connect([])
  try {
    const request = alterClientQuotasRequest(clientId, 'producer_byte_rate', bytesPerSecond)
    const errorCode = await (await brokers.findAny()).send(request, 0)
    if (errorCode !== 0) throw new Error(`the quota of ${clientId} can't be set: error code ${errorCode}`)
  } finally {
    await brokers.disconnect()
  }
}
