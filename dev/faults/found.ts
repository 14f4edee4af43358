/** Everything on a trial's three topics, as a `read_committed` consumer with the project's schemas sees it. */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import avro from 'avsc'
import type { Topics } from '../oracle/topic-reader.js'
import { readCommitted, type CommittedRecord } from '../kafka/topics.js'
import type { Found, Topic } from '../oracle/oracle.js'

const FILES: Readonly<Record<Topic, string>> = {
  dlr: 'delivery-receipt.avsc',
  mo: 'inbound-message.avsc',
  deadLetter: 'dead-letter.avsc',
}

const schemaOf = (topic: Topic): avro.Schema =>
  JSON.parse(readFileSync(new URL(`../../schemas/${FILES[topic]}`, import.meta.url), 'utf8')) as avro.Schema

/** Milliseconds after which a consumer that gets no further is one that a hanging transaction holds up. */
const PATIENCE = 120_000

export interface Reading {
  readonly brokers: readonly string[]
  readonly topics: Topics
  /** Where every schema id must stand for the right schema; left out where a registry has forgotten its ids. */
  readonly registryUrl?: string | undefined
}

/**
 * By topic, and by partition in order. Decoded one by one as they are asked for: those of a long run are more than fit in
 * memory.
 * @throws Error for a record that is not in the wire format, or whose id means something else
 */
export async function everythingOn({ brokers, topics, registryUrl }: Reading): Promise<Iterable<Found>> {
  const all: { readonly topic: Topic; readonly type: avro.Type; readonly records: readonly CommittedRecord[] }[] = []
  for (const topic of Object.keys(FILES) as Topic[]) {
    const type = avro.Type.forSchema(schemaOf(topic))
    const ids = new Set<number>()
    const records = await within(patiently(brokers, topics[topic]), `reading ${topics[topic]}`)
    for (const { value } of records) {
      if (value[0] !== 0) throw new Error(`a record on ${topics[topic]} does not begin with 0`)
      ids.add(value.readUInt32BE(1))
    }
    if (registryUrl !== undefined) for (const id of ids) await assertMeans(registryUrl, id, type)
    all.push({ topic, type, records })
  }
  return (function* decode() {
    for (const { topic, type, records } of all) {
      for (const { partition, key, value, headers } of records) {
        yield { topic, partition, key, headers, value: type.fromBuffer(value.subarray(5)) as Found['value'] }
      }
    }
  })()
}

/** From the beginning again when the consumer's own group was not there yet, as on a broker that has just been started. */
async function patiently(brokers: readonly string[], topic: string): ReturnType<typeof readCommitted> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readCommitted(brokers, topic)
    } catch (error) {
      if ((error as { retriable?: boolean }).retriable !== true || attempt >= 5) throw error
      await delay(1_000)
    }
  }
}

async function assertMeans(registryUrl: string, id: number, type: avro.Type): Promise<void> {
  const response = await fetch(`${registryUrl}/schemas/ids/${id}`)
  const { schema = '{}' } = (await response.json()) as { schema?: string }
  const there = avro.Type.forSchema(JSON.parse(schema) as avro.Schema)
  if (there.fingerprint().equals(type.fingerprint())) return
  throw new Error(`schema id ${id} is ${there.name} in the registry, records with it are ${type.name}`)
}

async function within<T>(work: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not end: a transaction hangs`)), PATIENCE)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
