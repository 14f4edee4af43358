/** The publisher of the connector alone: the port in `src/kafka/publisher.ts`, with records that were encoded before. */
import { serveParent, settingsFromParent } from './child.js'
import { RECORDS_PER_TRANSACTION } from './contenders/contender.js'
import { encodeRecords, publisherOf, publishingConfig, type PublishingPlan } from './encoded-records.js'

export interface PublishPlan extends PublishingPlan {
  readonly recordsPerTransaction?: number
  /** The length of every value; absent for the values of real records. */
  readonly valueBytes?: number
}

const plan = settingsFromParent<PublishPlan>()
const { recordsPerTransaction = RECORDS_PER_TRANSACTION, valueBytes } = plan
const config = await publishingConfig(plan)
const encoded = await encodeRecords(config, recordsPerTransaction)
const records =
  valueBytes === undefined ? encoded : encoded.map((record) => ({ ...record, value: Buffer.alloc(valueBytes, 1) }))
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
