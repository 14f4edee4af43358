/** Measures all contenders in rounds, so that whatever disturbs the machine for a while disturbs them all. */
import type { Progress } from '../dev/progress.js'
import { sendBurst } from '../dev/simulators/callback-burst.js'
import type { Stack } from '../dev/stack/index.js'
import { BenchChild } from './child.js'
import type { CallbackContender, Contender, PublishContender, PullContender } from './contenders/contender.js'
import { measureFsyncRate } from './fsync-rate.js'
import type { LatencyReply, LatencyRequest, LatencySettings } from './latency-process.js'
import { cpuSeconds } from './process-usage.js'
import { quantile } from './statistics.js'

/** The amount of work in one round. */
export interface Workload {
  readonly callbacksAt64: number
  readonly callbacksAt8: number
  readonly rows: number
  readonly records: number
  /** 0 leaves out this work. */
  readonly latencySeconds: number
  readonly fsyncMs: number
}

export interface Contenders {
  readonly callbacks: readonly CallbackContender[]
  readonly pulls: readonly PullContender[]
  readonly publishers: readonly PublishContender[]
  readonly fixedAnswers: CallbackContender
}

/** One figure of one round. */
export interface Measurement {
  readonly contender: string
  readonly work: string
  readonly figure: string
  readonly value: number
}

const LATENCY_CONNECTIONS = 64
const LATENCY_RATES = [20, 1_000]
const MICROSECONDS = 1e6

export class BenchRun {
  readonly #stack: Stack
  readonly #contenders: Contenders
  readonly #workload: Workload
  readonly #progress: Progress
  /** Each receipt has a number of its own, because the connector suppresses duplicates. */
  #nextReceipt = 0

  constructor(stack: Stack, contenders: Contenders, workload: Workload, progress: Progress) {
    this.#stack = stack
    this.#contenders = contenders
    this.#workload = workload
    this.#progress = progress
  }

  async round(): Promise<Measurement[]> {
    const { callbacks, pulls, publishers, fixedAnswers } = this.#contenders
    const { callbacksAt64, callbacksAt8, rows, records, fsyncMs } = this.#workload
    const found: Measurement[] = []
    const add = (measurements: readonly Measurement[]): void => void found.push(...measurements)
    add([{ contender: 'the disk', work: 'fsync of a page', figure: '/s', value: await measureFsyncRate(fsyncMs) }])
    for (const [connections, count] of [
      [64, callbacksAt64],
      [8, callbacksAt8],
    ] as const) {
      for (const contender of [fixedAnswers, ...callbacks]) add(await this.#callbacks(contender, connections, count))
    }
    for (const contender of pulls) add(await this.#pulls(contender, rows))
    for (const contender of publishers) add(await this.#publishing(contender, records))
    if (this.#workload.latencySeconds > 0) for (const contender of callbacks) add(await this.#latencies(contender))
    return found
  }

  async #callbacks(contender: CallbackContender, connections: number, count: number): Promise<Measurement[]> {
    const work = `callbacks at ${connections} connections`
    this.#progress.update(`  ${contender.name}: ${work}`)
    const cpuBefore = cpuSeconds(contender.pid)
    const report = await sendBurst({ url: contender.callbackUrl, first: this.#takeReceipts(count), count, connections })
    if (report.refused > 0) throw new Error(`${contender.name} did not answer ${report.refused} callbacks with 200`)
    const answeredAt = performance.now()
    await contender.untilPublished()
    const publishedSeconds = report.seconds + (performance.now() - answeredAt) / 1_000
    const cpu = cpuSeconds(contender.pid) - cpuBefore
    const measurement = measurementOf(contender, work)
    return [
      measurement('/s', count / report.seconds),
      measurement('CPU us', (MICROSECONDS * cpu) / count),
      measurement('p50 ms', quantile(report.times, 0.5)),
      measurement('p99 ms', quantile(report.times, 0.99)),
      measurement('published/s', count / publishedSeconds),
      measurement('generator CPU %', (100 * report.cpuSeconds) / report.seconds),
    ]
  }

  async #pulls(contender: PullContender, rows: number): Promise<Measurement[]> {
    const work = 'pulled items'
    this.#progress.update(`  ${contender.name}: ${work}`)
    const cpuBefore = cpuSeconds(contender.pid)
    const { seconds, queueCpuShare } = await contender.pull(rows)
    const measurement = measurementOf(contender, work)
    return [
      measurement('/s', rows / seconds),
      measurement('CPU us', (MICROSECONDS * (cpuSeconds(contender.pid) - cpuBefore)) / rows),
      measurement('generator CPU %', 100 * queueCpuShare),
    ]
  }

  async #publishing(contender: PublishContender, records: number): Promise<Measurement[]> {
    const work = 'records in transactions'
    this.#progress.update(`  ${contender.name}: ${work}`)
    const cpuBefore = cpuSeconds(contender.pid)
    const seconds = await contender.publish(records)
    const measurement = measurementOf(contender, work)
    return [
      measurement('/s', records / seconds),
      measurement('CPU us', (MICROSECONDS * (cpuSeconds(contender.pid) - cpuBefore)) / records),
    ]
  }

  async #latencies(contender: CallbackContender): Promise<Measurement[]> {
    const { callbackUrl: url, topic } = contender
    if (topic === undefined) return []
    const settings: LatencySettings = { url, topic, brokers: this.#stack.brokers, connections: LATENCY_CONNECTIONS }
    const { child } = await BenchChild.start<LatencyRequest, LatencyReply>('latency-process.ts', settings)
    try {
      const found: Measurement[] = []
      for (const perSecond of LATENCY_RATES) {
        const work = `request to visible at ${perSecond.toLocaleString('en-US')}/s`
        this.#progress.update(`  ${contender.name}: ${work}`)
        const count = Math.max(1, Math.round(perSecond * this.#workload.latencySeconds))
        const reply = await child.request({ perSecond, count, first: this.#takeReceipts(count) })
        const measurement = measurementOf(contender, work)
        found.push(
          measurement('p50 ms', quantile(reply.visibleMs, 0.5)),
          measurement('p99 ms', quantile(reply.visibleMs, 0.99)),
          measurement('generator CPU %', 100 * reply.cpuShare),
        )
      }
      return found
    } finally {
      await child.stop()
    }
  }

  #takeReceipts(count: number): number {
    const first = this.#nextReceipt
    this.#nextReceipt += count
    return first
  }
}

const measurementOf =
  ({ name }: Contender, work: string) =>
  (figure: string, value: number): Measurement => ({ contender: name, work, figure, value })
