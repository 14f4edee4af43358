/** Kafka Connect with a thin source task, in exactly-once mode: each page is a transaction, as with this product. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { spawnGuarded } from '../../dev/guarded-child.js'
import { createTopic } from '../../dev/kafka/topics.js'
import { freePort } from '../../dev/ports.js'
import type { Progress } from '../../dev/progress.js'
import type { Stack } from '../../dev/stack/index.js'
import { retryFor } from '../../dev/wait.js'
import { workDirectory } from '../../dev/work-directory.js'
import { BenchChild } from '../child.js'
import { CONNECT, preparePeer } from '../peers/distributions.js'
import type { QueueReply, QueueRequest } from '../queue-process.js'
import type { EventSchemas } from '../schemas.js'
import { queueCpuShareOf } from './connector.js'
import { NAMES, PAGE_ROWS, PARTITIONS, type PullContender } from './contender.js'

const START_TIMEOUT_MS = 120_000

/** @returns a phrase with the reason if it can't be started on this machine */
export async function startConnect(
  stack: Stack,
  schemas: EventSchemas,
  progress: Progress,
): Promise<PullContender | { missing: string }> {
  const folder = await workDirectory('trial')
  const peer = await preparePeer(CONNECT, folder, progress)
  if ('missing' in peer) return peer
  await mkdir(join(folder, 'META-INF', 'services'), { recursive: true })
  await writeFile(join(folder, 'META-INF/services/org.apache.kafka.connect.source.SourceConnector'), 'PullConnector\n')
  const name = `bench-connect-${Date.now()}`
  const topics = { dlr: `${name}.dlr`, mo: `${name}.mo` }
  for (const topic of Object.values(topics)) await createTopic(stack.brokers, topic, PARTITIONS)
  const { child: queue, ready: origin } = await BenchChild.start<QueueRequest, QueueReply, string>('queue-process.ts', {
    distinctRows: 20_000,
  })
  const rest = `http://127.0.0.1:${await freePort()}`
  await writeFile(join(folder, 'worker.properties'), workerProperties(stack, name, rest))
  const worker = await spawnGuarded(
    peer.java,
    [
      ...['-Xmx1g', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', peer.classpath],
      ...['org.apache.kafka.connect.cli.ConnectDistributed', join(folder, 'worker.properties')],
    ],
    { log: join(folder, 'connect.log') },
  )
  const assertRunning = (): void => {
    if (worker.exitCode !== undefined) throw new Error(`Kafka Connect ended; its log is in ${folder}`)
  }
  const config = {
    'connector.class': 'PullConnector',
    'tasks.max': '1',
    'exactly.once.support': 'required',
    'transaction.boundary': 'poll',
    'queue.url': `${origin}/notification`,
    'queue.limit': String(PAGE_ROWS),
    'topic.dlr': topics.dlr,
    'topic.mo': topics.mo,
    'schema.dlr.file': schemas.dlr.file,
    'schema.dlr.id': String(schemas.dlr.id),
    'schema.mo.file': schemas.mo.file,
    'schema.mo.id': String(schemas.mo.id),
  }
  await retryFor(() => putJson(`${rest}/connectors/pull/config`, config), START_TIMEOUT_MS, assertRunning)
  await retryFor(() => assertTaskRuns(rest), START_TIMEOUT_MS, assertRunning)
  return {
    name: NAMES.connect,
    pid: worker.pid,
    async pull(rows) {
      const reply = await queue.request({ rows })
      // The task asks again only after the transaction of the page before was committed.
      return { seconds: (reply.foundEmptyAt - reply.startedAt) / 1_000, queueCpuShare: queueCpuShareOf(reply) }
    },
    async stop() {
      worker.signal('SIGKILL')
      await worker.exited
      await queue.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function workerProperties(stack: Stack, name: string, rest: string): string {
  const properties = {
    'bootstrap.servers': stack.brokers.join(','),
    'group.id': name,
    listeners: rest,
    'exactly.once.source.support': 'enabled',
    'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
    'value.converter': 'org.apache.kafka.connect.converters.ByteArrayConverter',
    'header.converter': 'org.apache.kafka.connect.storage.StringConverter',
    'config.storage.topic': `${name}.configs`,
    'config.storage.replication.factor': '1',
    'offset.storage.topic': `${name}.offsets`,
    'offset.storage.partitions': '1',
    'offset.storage.replication.factor': '1',
    'status.storage.topic': `${name}.status`,
    'status.storage.partitions': '1',
    'status.storage.replication.factor': '1',
    'plugin.discovery': 'service_load',
  }
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

async function putJson(url: string, body: unknown): Promise<void> {
  const answer = await fetch(url, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  })
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`)
}

async function assertTaskRuns(rest: string): Promise<void> {
  const answer = await fetch(`${rest}/connectors/pull/status`)
  const { tasks = [] } = (await answer.json()) as { tasks?: { state: string; trace?: string }[] }
  if (tasks[0]?.state !== 'RUNNING') throw new Error(`the task of Kafka Connect does not run: ${JSON.stringify(tasks)}`)
}
