/** Records of a Mtarget queue as the connector makes them, and its publisher. */
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { stringify } from 'yaml'
import { workDirectory } from '../dev/work-directory.js'
import { ProviderData } from '../dev/simulators/provider-data.js'
import { buildEncoder, buildPublisher } from '../src/app/publishing.js'
import { parseConfig } from '../src/config/load.js'
import type { Config } from '../src/config/types.js'
import { systemClock as clock } from '../src/core/clock.js'
import type { OutgoingRecord, Publisher } from '../src/kafka/publisher.js'
import { decode } from '../src/pipeline/decode.js'
import { providers } from '../src/providers/index.js'
import { MTARGET_SOURCE, PARTITIONS } from './contenders/contender.js'

const log = pino({ level: 'silent' })

export interface PublishingPlan {
  readonly brokers: readonly string[]
  readonly registryUrl: string
  /** The instance, and the beginning of the names of the topics. */
  readonly name: string
  readonly partitions?: number
}

/** The configuration of a connector with the defaults of a user. */
export async function publishingConfig(plan: PublishingPlan): Promise<Config> {
  const { brokers, registryUrl, name, partitions = PARTITIONS } = plan
  const directory = await mkdtemp(join(await workDirectory('trial'), 'journal-'))
  const text = stringify({
    instance: name,
    kafka: {
      brokers,
      topics: { dlr: `${name}.dlr`, mo: `${name}.mo`, deadLetter: `${name}.dead-letter` },
      createTopics: { partitions },
    },
    registry: { url: registryUrl },
    journal: { directory },
    sources: {
      [MTARGET_SOURCE]: { provider: 'mtarget', pull: { url: 'http://127.0.0.1:1/', username: 'demo', password: 'x' } },
    },
  })
  const { config, problems } = parseConfig(text, {}, 'bench')
  if (!config) throw new Error(`the configuration of the benchmark is wrong: ${JSON.stringify(problems)}`)
  return config
}

export const publisherOf = (config: Config): Publisher => buildPublisher(config, clock, log)

export async function encodeRecords(config: Config, count: number): Promise<OutgoingRecord[]> {
  const { encoder } = buildEncoder(config, clock, log)
  await encoder.ready()
  const body = Buffer.from(JSON.stringify({ results: new ProviderData(1).mtargetMix(count) }))
  const facts = { method: 'POST', path: '/notification', query: '', 'content-type': 'application/json', status: '200' }
  const via = 'PULL'
  const received = { source: MTARGET_SOURCE, provider: 'mtarget', via, receivedAt: Date.now(), facts, body } as const
  const provider = providers.get('mtarget')!
  const settings = { textFields: ['Content'], ignoreEvents: [] }
  const records: OutgoingRecord[] = []
  for (const { event, body: bytes } of decode({ seq: 1, ...received }, { provider, settings }, 'bench')) {
    records.push(...encoder.encode(event, { body: bytes, facts }).records)
  }
  return records
}
