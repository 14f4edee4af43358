/** What a consumer sees that shares no line of code with us, nor with the reader of the other tests. */
import { execFile } from 'node:child_process'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, inject, it } from 'vitest'
import type { TopicRecord } from '../../../dev/oracle/topic-reader.js'
import { ProviderData } from '../../../dev/simulators/provider-data.js'
import { expectEachItemOnce } from '../../support/trial-assertions.js'
import { startTrial, untilPublished, type Trial } from '../../../dev/trial.js'

const run = promisify(execFile)
const SCRIPT = fileURLToPath(new URL('consume.py', import.meta.url))
const PACKAGES = 'from confluent_kafka.schema_registry.avro import AvroDeserializer'

/** The Python that has the packages: $PYTHON, or one of these. */
async function python(): Promise<string | undefined> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  const candidates = [process.env['PYTHON'], 'python3', join(cache, 'dlr-mo-connector', 'python', 'bin', 'python3')]
  for (const candidate of candidates.filter((each) => each !== undefined && each !== '')) {
    const works = await run(candidate!, ['-c', PACKAGES]).then(
      () => true,
      () => false,
    )
    if (works) return candidate
  }
  return undefined
}
const interpreter = await python()

let trial: Trial | undefined
afterEach(() => trial?.stop())

describe('a consumer on librdkafka and fastavro', () => {
  it.skipIf(interpreter === undefined)(
    'sees what ours sees, with the schemas of the registry (needs Python with confluent-kafka[avro,schemaregistry])',
    async () => {
      const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
      const on = (trial = await startTrial(stack))
      const data = new ProviderData(31)
      on.mtarget.enqueue(data.mtargetMix(300))
      await on.connector.start()
      await on.seven.send(data.sevenReceipts(100).map((each) => ({ kind: 'dlr', data: each })))
      await on.seven.send(
        data.sevenInbound(100).map((each) => ({ kind: 'sms_mo', data: each })),
        'json',
      )
      await on.seven.sendRaw({ body: Buffer.alloc(700_000, 'no report'), contentType: 'text/plain' })
      await untilPublished(on)

      const args = [SCRIPT, stack.brokers.join(','), stack.registryUrl, ...(Object.values(on.topics) as string[])]
      const { stdout } = await run(interpreter!, args, { maxBuffer: 64 * 1024 * 1024 })
      const theirs = stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as TopicRecord)
      const ours = await on.readAll()
      expect(theirs).toHaveLength(502)
      expect(byId(theirs)).toEqual(byId(ours))
      expectEachItemOnce(
        on,
        theirs.filter(({ topic }) => topic !== on.topics.deadLetter),
      )
      for (const { topic, headers } of theirs) expect(headers['ce_type']).toBe(typeOf(on, topic))
    },
  )
})

const typeOf = ({ topics }: Trial, topic: string): string =>
  topic === topics.dlr
    ? 'sms.delivery-receipt.v1'
    : topic === topics.mo
      ? 'sms.inbound-message.v1'
      : 'sms.dead-letter.v1'

/** Without the place on the topic, bytes as base64, in the order of ids. */
const byId = (records: readonly TopicRecord[]): unknown[] =>
  records
    .map(({ topic, key, headers, value }) => {
      const body = value['body']
      const shown = body instanceof Uint8Array ? { ...value, body: Buffer.from(body).toString('base64') } : { ...value }
      return { topic, key, headers, value: shown }
    })
    .sort((one, other) => (one.headers['ce_id']! < other.headers['ce_id']! ? -1 : 1))
