/**
 * Sends callbacks at a fixed rate, and reads the topic as a `read_committed` consumer. Sender and consumer share this process,
 * so that one clock measures from the time at which a callback was due to the time at which its record was visible. A callback
 * that could not be sent in time counts from when it was due.
 */
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { burstReceipt } from '../dev/simulators/callback-burst.js'
import { kafkaClient } from '../dev/kafka/topics.js'
import { until } from '../dev/wait.js'
import { serveParent, settingsFromParent } from './child.js'

export interface LatencySettings {
  readonly url: string
  readonly brokers: readonly string[]
  readonly topic: string
  readonly connections: number
}

export interface LatencyRequest {
  readonly perSecond: number
  readonly count: number
  /** The number of the first receipt. */
  readonly first: number
}

export interface LatencyReply {
  /** Milliseconds from when each callback was due until its record was read. */
  readonly visibleMs: readonly number[]
  /** Milliseconds from when each callback was due until it was answered. */
  readonly answeredMs: readonly number[]
  /** CPU time of this process divided by the time of the measurement. */
  readonly cpuShare: number
}

const VISIBLE_TIMEOUT_MS = 60_000

const settings = settingsFromParent<LatencySettings>()
const { hostname, port, pathname } = new URL(settings.url)
const visibleAt = new Map<string, number>()

const consumer = kafkaClient(settings.brokers).consumer({
  groupId: `bench-latency-${process.pid}-${Date.now()}`,
  maxWaitTimeInMs: 1_000,
  minBytes: 1,
})
await consumer.connect()
await consumer.subscribe({ topics: [settings.topic], fromBeginning: false })
const joined = new Promise<void>((resolve) => consumer.on(consumer.events.GROUP_JOIN, () => resolve()))
await consumer.run({
  eachBatch: async ({ batch }) => {
    const at = performance.now()
    for (const { key } of batch.messages) visibleAt.set(String(key), at)
  },
})
await joined

/** Sockets without a request under way, and the requests that wait for one. */
const idle: Socket[] = []
const waiting: (() => void)[] = []
/** Called with the next answer on a socket. */
const onAnswer = new Map<Socket, () => void>()

function release(socket: Socket): void {
  idle.push(socket)
  waiting.shift()?.()
}

async function openConnection(): Promise<void> {
  const socket = connect({ port: Number(port), host: hostname, noDelay: true })
  await once(socket, 'connect')
  socket.on('data', (chunk) => {
    if (!chunk.includes('HTTP/1.1 200')) throw new Error(`a callback was answered with ${chunk.toString('latin1')}`)
    onAnswer.get(socket)?.()
  })
  idle.push(socket)
}

function send(number: number, onAnswered: () => void): void {
  const socket = idle.pop()
  if (socket === undefined) return void waiting.push(() => send(number, onAnswered))
  onAnswer.set(socket, () => {
    onAnswered()
    release(socket)
  })
  const { msg_id, status } = burstReceipt(number)
  socket.write(`GET ${pathname}?msg_id=${msg_id}&status=${status} HTTP/1.1\r\nhost: bench\r\n\r\n`)
}

for (let index = 0; index < settings.connections; index++) await openConnection()

serveParent<LatencyRequest, LatencyReply>(undefined, async ({ perSecond, count, first }) => {
  visibleAt.clear()
  const dueAt: number[] = []
  const answeredMs: number[] = []
  const cpuAtStart = process.cpuUsage()
  const startedAt = performance.now()
  for (let index = 0; index < count;) {
    const now = performance.now()
    for (; index < count && startedAt + (index * 1_000) / perSecond <= now; index++) {
      const due = startedAt + (index * 1_000) / perSecond
      dueAt.push(due)
      send(first + index, () => answeredMs.push(performance.now() - due))
    }
    await delay(1)
  }
  await until(() => answeredMs.length === count && visibleAt.size >= count, VISIBLE_TIMEOUT_MS)
  const { user, system } = process.cpuUsage(cpuAtStart)
  const visibleMs = dueAt.map((due, index) => visibleAt.get(burstReceipt(first + index).msg_id)! - due)
  return { visibleMs, answeredMs, cpuShare: (user + system) / 1e3 / (performance.now() - startedAt) }
})
