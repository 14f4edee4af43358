/** A consumer that shares no code with the product or with the reader of the other tests. */
import { execFile } from 'node:child_process'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { expectedHeaders } from '../../../dev/oracle/expected-records.js'
import { kindOfTopic, type TopicRecord } from '../../../dev/oracle/topic-reader.js'
import { ProviderData } from '../../../dev/simulators/provider-data.js'
import { messageEvent, receiptEvent } from '../../../dev/simulators/seven-requests.js'
import { startTrial, untilPublished, type Trial } from '../../../dev/trial.js'
import { expectEachItemOnce } from '../../support/trial-assertions.js'

const run = promisify(execFile)
const SCRIPT = fileURLToPath(new URL('consume.py', import.meta.url))
const REQUIRED_IMPORT = 'from confluent_kafka.schema_registry.avro import AvroDeserializer'

/** A Python interpreter that has the required packages: $PYTHON, that of the PATH, or that of a virtual environment. */
async function findPython(): Promise<string | undefined> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const candidates = [process.env['PYTHON'], 'python3', join(cache, 'dlr-mo-connector', 'python', 'bin', 'python3')]
  for (const candidate of candidates) {
    if (candidate === undefined || candidate === '') continue
    const hasPackages = await run(candidate, ['-c', REQUIRED_IMPORT]).then(
      () => true,
      () => false,
    )
    if (hasPackages) return candidate
  }
  return undefined
}
const python = await findPython()

let trial: Trial | undefined
afterEach(() => trial?.stop())

describe('A consumer on librdkafka and fastavro', () => {
  it.skipIf(python === undefined)(
    'reads the same records as kafkajs and avsc (needs Python with confluent-kafka[avro,schemaregistry])',
    async () => {
      const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
      const started = await startTrial(stack)
      trial = started
      const { mtarget, seven, topics, connector } = started
      const data = new ProviderData(31)
      mtarget.enqueue(data.mtargetMix(300))
      await connector.start()
      await seven.send(data.sevenReceipts(100).map(receiptEvent))
      await seven.send(data.sevenInbound(100).map(messageEvent), 'json')
      await seven.sendRaw({ body: Buffer.alloc(700_000, 'no report'), contentType: 'text/plain' })
      await untilPublished(started)

      const args = [SCRIPT, stack.brokers.join(','), stack.registryUrl, topics.dlr, topics.mo, topics.deadLetter]
      const { stdout } = await run(python!, args, { maxBuffer: 64 * 1024 * 1024 })
      const lines = stdout.trimEnd().split('\n')
      const records = lines.map((line) => JSON.parse(line) as TopicRecord)
      expect(records).toHaveLength(502)
      expect(sortById(records)).toEqual(sortById(await started.readAll()))
      const isDeadLetter = ({ topic }: TopicRecord): boolean => topic === topics.deadLetter
      expectEachItemOnce(
        started,
        records.filter((record) => !isDeadLetter(record)),
      )
      for (const record of records) {
        expect(record.headers).toEqual(expectedHeaders(record, kindOfTopic(topics, record.topic)!))
      }
    },
  )
})

/** Records in the order of their ids, without their partitions, and with bytes as base64 as the script prints them. */
const sortById = (records: readonly TopicRecord[]): unknown[] =>
  records
    .map(({ topic, key, headers, value }) => {
      const body = value['body']
      const printed =
        body instanceof Uint8Array ? { ...value, body: Buffer.from(body).toString('base64') } : { ...value }
      return { topic, key, headers, value: printed }
    })
    .sort((one, other) => (one.headers['ce_id']! < other.headers['ce_id']! ? -1 : 1))
