/** The publisher of the connector alone: the port in `src/kafka/publisher.ts`, with records that were encoded before. */
import { serveParent, settingsFromParent } from './child.js'
import { RECORDS_PER_TRANSACTION } from './contenders/contender.js'
import { encodeRecords, publisherOf, publishingConfig, type PublishingPlan } from './encoded-records.js'

const config = await publishingConfig(settingsFromParent<PublishingPlan>())
const records = await encodeRecords(config, RECORDS_PER_TRANSACTION)
const publisher = publisherOf(config)
await publisher.open('bench')
let position = 0

serveParent<number, number>(undefined, async (count) => {
  const startedAt = performance.now()
  for (let published = 0; published < count; published += records.length) {
    position++
    await publisher.publish(records.slice(0, count - published), position)
  }
  return (performance.now() - startedAt) / 1_000
})
