/** Servers for callbacks that are written in a few lines for Node.js, to compare with. */
import { createTopic } from '../../dev/kafka/topics.js'
import type { Stack } from '../../dev/stack/index.js'
import { BenchChild } from '../child.js'
import type { EventSchemas } from '../schemas.js'
import { type CallbackContender, NAMES, PARTITIONS } from './contender.js'

/** fastify and kafkajs: each callback is one `producer.send` with `acks=all`, and is answered after it. */
export async function startFastify(stack: Stack, schemas: EventSchemas): Promise<CallbackContender> {
  const topic = `bench-fastify-${Date.now()}`
  await createTopic(stack.brokers, topic, PARTITIONS)
  return startServer(NAMES.fastify, 'fastify-process.ts', { ...stack, topic, schema: schemas.dlr }, topic)
}

/** node:http and lmdb: each callback is one put, and is answered after its fsync. It publishes nothing. */
export const startDurableServer = (): Promise<CallbackContender> =>
  startServer(NAMES.durableServer, 'durable-server-process.ts', {})

/** A TCP server that answers everything at once, to measure the load generator. */
export const startFixedAnswerServer = (): Promise<CallbackContender> =>
  startServer(NAMES.loadGenerator, 'fixed-answer-process.ts', {})

async function startServer(
  name: string,
  program: string,
  { brokers, topic: _, ...settings }: Partial<Stack> & Record<string, unknown>,
  topic?: string,
): Promise<CallbackContender> {
  const all = { ...settings, brokers, topic }
  const { child, ready: origin } = await BenchChild.start<never, never, string>(program, all)
  return {
    name,
    pid: child.pid,
    callbackUrl: `${origin}/callbacks/seven-main`,
    ...(topic !== undefined && { topic }),
    untilPublished: async () => undefined,
    stop: () => child.stop(),
  }
}
