/** Publishing alone, without receiving, journal, decoding and encoding. */
import type { Stack } from '../../dev/stack/index.js'
import { BenchChild } from '../child.js'
import { NAMES, type PublishContender } from './contender.js'

export const startPublisherAlone = (stack: Stack): Promise<PublishContender> =>
  startPublisher(NAMES.publisher, 'publisher-process.ts', stack)

export const startKafkajs = (stack: Stack): Promise<PublishContender> =>
  startPublisher(NAMES.kafkajs, 'kafkajs-process.ts', stack)

async function startPublisher(
  name: string,
  program: string,
  { brokers, registryUrl }: Stack,
): Promise<PublishContender> {
  const plan = { brokers, registryUrl, name: `bench-${program.replace('-process.ts', '')}-${Date.now()}` }
  const { child } = await BenchChild.start<number, number>(program, plan)
  return {
    name,
    pid: child.pid,
    publish: (records) => child.request(records),
    stop: () => child.stop(),
  }
}
