/** The upper bound: the same records, already encoded, through the same publisher, with nothing in front of it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { stringify } from 'yaml'
import { buildEncoder, buildPublisher } from '../src/app/publishing.js'
import { parseConfig } from '../src/config/load.js'
import { systemClock as clock } from '../src/core/clock.js'
import type { OutgoingRecord } from '../src/kafka/publisher.js'
import { decode } from '../src/pipeline/decode.js'
import { providers } from '../src/providers/index.js'
import { ProviderData } from '../dev/simulators/provider-data.js'
import type { Stack } from '../dev/stack/index.js'

const RECORDS_PER_TRANSACTION = 5_000
const SOURCE = 'mtarget-fr'

/** @returns records per second */
export async function measureKafkajs(stack: Stack, count: number): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'dlrmo-bench-'))
  const { config } = parseConfig(configurationText(stack, directory), {}, 'bench')
  if (!config) throw new Error('the configuration of the benchmark is wrong')
  const log = pino({ level: 'silent' })
  const { encoder } = buildEncoder(config, clock, log)
  await encoder.ready()
  const records = await encodeAll(count, encoder)
  const publisher = buildPublisher(config, clock, log)
  await publisher.open('bench')
  // Warms up connections and code.
  await publisher.publish(records.slice(0, RECORDS_PER_TRANSACTION), 1)
  const startedAt = performance.now()
  for (let index = 0; index < records.length; index += RECORDS_PER_TRANSACTION) {
    await publisher.publish(records.slice(index, index + RECORDS_PER_TRANSACTION), index + 2)
  }
  const seconds = (performance.now() - startedAt) / 1_000
  await publisher.close()
  await rm(directory, { recursive: true, force: true })
  return records.length / seconds
}

function configurationText(stack: Stack, directory: string): string {
  const name = `bench-${Date.now()}`
  return stringify({
    instance: name,
    kafka: {
      brokers: stack.brokers,
      topics: { dlr: `${name}.dlr`, mo: `${name}.mo`, deadLetter: `${name}.dead-letter` },
      createTopics: { partitions: 6 },
    },
    registry: { url: stack.registryUrl },
    journal: { directory },
    sources: {
      [SOURCE]: { provider: 'mtarget', pull: { url: 'http://127.0.0.1:1/', username: 'demo', password: 'x' } },
    },
  })
}

async function encodeAll(
  count: number,
  encoder: ReturnType<typeof buildEncoder>['encoder'],
): Promise<OutgoingRecord[]> {
  const body = Buffer.from(JSON.stringify({ results: new ProviderData(1).mtargetMix(count) }))
  const facts = { method: 'POST', path: '/notification', query: '', 'content-type': 'application/json', status: '200' }
  const received = { source: SOURCE, provider: 'mtarget', via: 'PULL', receivedAt: Date.now(), facts, body } as const
  const provider = providers.get('mtarget')!
  const settings = { textFields: ['Content'], ignoreEvents: [] }
  const records: OutgoingRecord[] = []
  for (const { event, body: bytes } of decode({ seq: 1, ...received }, { provider, settings }, 'bench')) {
    records.push(...(await encoder.encode(event, { body: bytes, facts })).records)
  }
  return records
}
