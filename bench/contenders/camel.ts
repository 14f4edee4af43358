/** Apache Camel: an HTTP endpoint that sends to Kafka and answers after `acks=all`. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { spawnGuarded } from '../../dev/guarded-child.js'
import { createTopic } from '../../dev/kafka/topics.js'
import { freePort } from '../../dev/ports.js'
import type { Progress } from '../../dev/progress.js'
import type { Stack } from '../../dev/stack/index.js'
import { retryFor } from '../../dev/wait.js'
import { workDirectory } from '../../dev/work-directory.js'
import { CAMEL, preparePeer } from '../peers/distributions.js'
import type { EventSchemas } from '../schemas.js'
import { type CallbackContender, NAMES, PARTITIONS } from './contender.js'

const START_TIMEOUT_MS = 60_000

/** @returns a phrase with the reason if it can't be started on this machine */
export async function startCamel(
  stack: Stack,
  schemas: EventSchemas,
  progress: Progress,
): Promise<CallbackContender | { missing: string }> {
  const folder = await workDirectory('trial')
  const peer = await preparePeer(CAMEL, folder, progress)
  if ('missing' in peer) return peer
  const topic = `bench-camel-${Date.now()}`
  await createTopic(stack.brokers, topic, PARTITIONS)
  const port = await freePort()
  const args = [String(port), stack.brokers.join(','), topic, schemas.dlr.file, String(schemas.dlr.id)]
  const child = await spawnGuarded(
    peer.java,
    ['-Xmx512m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', peer.classpath, 'CamelPeer', ...args],
    { log: join(folder, 'camel.log') },
  )
  const callbackUrl = `http://127.0.0.1:${port}/callbacks/seven-main`
  await retryFor(
    async () => {
      const { status } = await fetch(`${callbackUrl}?msg_id=1&status=DELIVERED`)
      if (status !== 200) throw new Error(`Camel answered ${status}`)
    },
    START_TIMEOUT_MS,
    () => {
      if (child.exitCode !== undefined) throw new Error(`Camel ended; its log is in ${folder}`)
    },
  )
  return {
    name: NAMES.camel,
    pid: child.pid,
    callbackUrl,
    topic,
    untilPublished: async () => undefined,
    async stop() {
      child.signal('SIGKILL')
      await child.exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}
