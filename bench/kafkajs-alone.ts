/** The upper bound: the same records, already encoded, through the same publisher, with nothing before it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { systemClock as clock } from '../src/core/clock.js'
import { parseConfig } from '../src/config/load.js'
import { decode } from '../src/pipeline/decode.js'
import { providers } from '../src/providers/index.js'
import { buildEncoder, buildPublisher } from '../src/app/publishing.js'
import type { OutgoingRecord } from '../src/kafka/publisher.js'
import type { Stack } from '../dev/stack/index.js'
import { ProviderData } from '../dev/simulators/provider-data.js'
import { configurationText } from './configuration.js'

const PER_TRANSACTION = 5000

/** @returns records a second */
export async function kafkajsAlone(stack: Stack, count: number): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'dlrmo-bench-'))
  const { config } = parseConfig(configurationText(stack, 'bench-alone', directory), {}, 'bench')
  if (!config) throw new Error('the configuration of the benchmark is wrong')
  const log = pino({ level: 'silent' })
  const { encoder } = buildEncoder(config, clock, log)
  await encoder.ready()
  const records = await encodeAll(count, encoder)
  const publisher = buildPublisher(config, clock, log)
  await publisher.open('bench')
  await publisher.publish(records.slice(0, PER_TRANSACTION), 1) // connections and code are warm after it
  const start = performance.now()
  for (let at = 0; at < records.length; at += PER_TRANSACTION) {
    await publisher.publish(records.slice(at, at + PER_TRANSACTION), at + 2)
  }
  const seconds = (performance.now() - start) / 1000
  await publisher.close()
  await rm(directory, { recursive: true, force: true })
  return records.length / seconds
}

async function encodeAll(
  count: number,
  encoder: ReturnType<typeof buildEncoder>['encoder'],
): Promise<OutgoingRecord[]> {
  const body = Buffer.from(JSON.stringify({ results: new ProviderData(1).mtargetMix(count) }))
  const facts = { method: 'POST', path: '/notification', query: '', 'content-type': 'application/json', status: '200' }
  const entry = {
    seq: 1,
    source: 'mtarget-fr',
    provider: 'mtarget',
    via: 'PULL',
    receivedAt: Date.now(),
    facts,
    body,
  } as const
  const provider = providers.get('mtarget')!
  const settings = { textFields: ['Content'], ignoreEvents: [] }
  const records: OutgoingRecord[] = []
  for (const { event, body: bytes } of decode(entry, { provider, settings }, 'bench')) {
    records.push(...(await encoder.encode(event, { body: bytes, facts })).records)
  }
  return records
}
