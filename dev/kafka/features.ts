/** Changes the level of a feature of a cluster, as `kafka-features.sh upgrade` and `downgrade` do. */
import { systemClock } from '../../src/core/clock.js'
import { KafkajsBrokers } from '../../src/kafka/kafkajs-workarounds/kafkajs-cluster.js'
import { apiVersionsRequest, type ProtocolRequest } from '../../src/kafka/protocol/requests.js'
import { until } from '../wait.js'
import { kafkaClient } from './topics.js'

const TIMEOUT_MS = 10_000
const UPDATE_FEATURES = { key: 57, name: 'UpdateFeatures', minVersion: 1, maxVersion: 1, flexibleFrom: 0 }
const UPGRADE = 1
const SAFE_DOWNGRADE = 2

const updateFeaturesRequest = (feature: string, level: number, type: number): ProtocolRequest<number> => ({
  api: UPDATE_FEATURES,
  write: (writer) => {
    writer.int32(TIMEOUT_MS).array([feature], (name) => writer.string(name).int16(level).int8(type).endOfStructure())
    writer.boolean(false).endOfStructure()
  },
  read: (reader) => {
    reader.int32() // the throttle time
    return reader.int16()
  },
})

/** Resolves when the broker says that the feature has this level. */
export async function setFeatureLevel(broker: string, feature: string, level: number): Promise<void> {
  const times = { requestTimeoutMs: TIMEOUT_MS, connectTimeoutMs: TIMEOUT_MS }
  const brokers = new KafkajsBrokers(kafkaClient([broker]), times, systemClock)
  await brokers.connect([])
  try {
    const any = await brokers.findAny()
    const levelNow = async (): Promise<number> =>
      (await any.send(apiVersionsRequest(), 3)).finalizedFeatures.get(feature) ?? 0
    const type = level > (await levelNow()) ? UPGRADE : SAFE_DOWNGRADE
    const errorCode = await any.send(updateFeaturesRequest(feature, level, type), 1)
    if (errorCode !== 0)
      throw new Error(`the level of ${feature} can't be changed to ${level}: error code ${errorCode}`)
    await until(async () => (await levelNow()) === level)
  } finally {
    await brokers.disconnect()
  }
}
