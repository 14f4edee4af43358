/** This product, as its users run it, with the defaults of a user. */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MAIN, type Program } from '../../dev/connector/program.js'
import { startTrial, type Trial, type TrialConfiguration, type TrialStack } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'
import { BenchChild } from '../child.js'
import type { QueueReply, QueueRequest, QueueSettings } from '../queue-process.js'
import { type CallbackContender, NAMES, type PullContender } from './contender.js'

const TIMEOUT_MS = 600_000
/** Rendering the metrics takes CPU time of the connector, so they are not read more often. */
const METRICS_INTERVAL_MS = 100

/** The connector as built in this checkout, with options for Node.js. */
export const withNodeOptions = (options: readonly string[]): Program => ({
  prepare: async () => undefined,
  launch: (folder) => [process.execPath, [...options, MAIN, 'run', '--config', join(folder, 'connector.yaml')]],
  kill: async (child) => child.signal('SIGKILL'),
})

/** Starts a trial, and resolves when it publishes, so that start-up is no part of a measurement. */
export async function startConnector(
  stack: TrialStack,
  configure: (configuration: TrialConfiguration) => void,
  nodeOptions: readonly string[] = [],
): Promise<Trial> {
  const trial = await startTrial(stack, configure, { program: withNodeOptions(nodeOptions) })
  await trial.connector.start()
  await until(async () => (await trial.sum('dlrmo_publishing')) === 1, TIMEOUT_MS)
  return trial
}

/** Resolves when the journal has released everything. */
async function untilReleased(trial: Trial): Promise<void> {
  while ((await trial.metric('dlrmo_journal_entries')) > 0) await delay(METRICS_INTERVAL_MS)
}

export interface CallbackConnector extends CallbackContender {
  readonly trial: Trial
}

export interface CallbackConnectorOptions {
  readonly name?: string
  readonly configure?: (configuration: TrialConfiguration) => void
}

export async function startCallbackConnector(
  stack: TrialStack,
  nodeOptions: readonly string[] = [],
  { name = NAMES.connector, configure }: CallbackConnectorOptions = {},
): Promise<CallbackConnector> {
  const trial = await startConnector(
    stack,
    (configuration) => {
      // The empty queue is asked once, and not again during the measurement.
      configuration.sources['mtarget-fr'].pull['idleDelay'] = '1h'
      configure?.(configuration)
    },
    nodeOptions,
  )
  return {
    name,
    trial,
    pid: trial.connector.pid!,
    callbackUrl: trial.callbackUrl,
    topic: trial.topics.dlr,
    untilPublished: () => untilReleased(trial),
    stop: () => trial.stop(),
  }
}

export interface PullConnector extends PullContender {
  readonly trial: Trial
  /** Puts rows into the queue. Resolves when all of them are in custody. */
  handOut(rows: number): Promise<QueueReply>
}

export interface PullConnectorOptions {
  /** `pull.limit`; the default of the connector if absent. */
  readonly limit?: Readonly<Record<string, number>>
  readonly nodeOptions?: readonly string[]
  readonly queue?: QueueSettings
  readonly configure?: (configuration: TrialConfiguration) => void
}

const QUEUE: QueueSettings = { distinctRows: 20_000 }

export async function startPullConnector(
  stack: TrialStack,
  name: string,
  { limit, nodeOptions = [], queue = QUEUE, configure }: PullConnectorOptions = {},
): Promise<PullConnector> {
  const { child, ready: origin } = await BenchChild.start<QueueRequest, QueueReply, string>('queue-process.ts', queue)
  const trial = await startConnector(
    stack,
    (configuration) => {
      const { pull } = configuration.sources['mtarget-fr']
      pull['url'] = `${origin}/notification`
      pull['idleDelay'] = '1s'
      if (limit) pull['limit'] = limit
      configure?.(configuration)
    },
    nodeOptions,
  )
  return {
    name,
    trial,
    pid: trial.connector.pid!,
    handOut: (rows) => child.request({ rows }),
    async pull(rows) {
      const reply = await child.request({ rows })
      // The next page is asked for as soon as the one before is on disk, so the last ones are still to be published.
      await untilReleased(trial)
      const seconds = (performance.timeOrigin + performance.now() - reply.startedAt) / 1_000
      return { seconds, queueCpuShare: queueCpuShareOf(reply) }
    },
    async stop() {
      await trial.stop()
      await child.stop()
    },
  }
}

export const queueCpuShareOf = ({ cpuSeconds, foundEmptyAt, startedAt }: QueueReply): number =>
  (1_000 * cpuSeconds) / (foundEmptyAt - startedAt)
