/**
 * `npm run bench`: this connector beside what it could be replaced by, in one run on one machine, with a real broker.
 *
 * Each contender is started once. Then rounds follow in which each does each work once; the first round only warms up. Load
 * generator, contenders and broker share the machine, so that absolute figures say little, and ratios of one run can be compared.
 * Everything that is published is the same Avro record with the same headers, on topics with the same number of partitions.
 */
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { progressOn, type Progress } from '../dev/progress.js'
import { startStack, type Stack } from '../dev/stack/index.js'
import type { TrialConfiguration } from '../dev/trial.js'
import { KAFKA_VERSION } from '../dev/stack/jvm/distributions.js'
import { BenchRun, type Contenders, type Measurement, type Workload } from './bench-run.js'
import { BenchChild } from './child.js'
import { startCamel } from './contenders/camel.js'
import { startConnect } from './contenders/connect.js'
import { startCallbackConnector, startPullConnector } from './contenders/connector.js'
import {
  type CallbackContender,
  type Contender,
  LARGE_PAGES,
  NAMES,
  type PullContender,
} from './contenders/contender.js'
import { startDurableServer, startFastify, startFixedAnswerServer } from './contenders/node-servers.js'
import { startKafkajs, startPublisherAlone } from './contenders/publishers.js'
import { cpuSeconds, MemorySampler } from './process-usage.js'
import { profileConnector } from './profile.js'
import { formatReport, summarizeRounds, type BenchReport } from './report.js'
import { registerSchemas } from './schemas.js'

const HELP = `Usage: npm run bench -- [options]

  --rounds N           rounds that are counted, after one that only warms up (default 5)
  --share S            part of the usual work of a round, for example 0.1 (default 1)
  --json FILE          also writes all figures of all rounds to this file
  --telemetry          compares this connector without telemetry with itself that exports 1 % and all of its traces, beside
                       metrics and log lines, and leaves out everything else
  --encryption         compares this connector with itself that encrypts its journal, and leaves out everything else
  --without-peers      leaves out Apache Camel and Kafka Connect
  --profile DIRECTORY  measures nothing: writes CPU profiles of the connector's main thread under callbacks and under pulls, and
                       a table of each by function, into this directory`

/** One round takes about two minutes on two cores. */
const FULL_WORKLOAD: Workload = {
  callbacksAt64: 20_000,
  callbacksAt8: 8_000,
  rows: 60_000,
  records: 50_000,
  latencySeconds: 5,
  fsyncMs: 1_000,
}

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    share: { type: 'string', default: '1' },
    json: { type: 'string' },
    telemetry: { type: 'boolean', default: false },
    encryption: { type: 'boolean', default: false },
    'without-peers': { type: 'boolean', default: false },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

/** Stops what was started, the last first. */
const started: (() => Promise<void>)[] = []

async function start<T extends Contender>(starting: Promise<T>): Promise<T> {
  const contender = await starting
  started.push(() => contender.stop())
  return contender
}

async function startContenders(
  stack: Stack,
  progress: Progress,
): Promise<{ contenders: Contenders; missing: string[] }> {
  const schemas = await registerSchemas(stack)
  const missing: string[] = []
  const startPeer = async <T extends Contender>(
    name: string,
    starting: Promise<T | { missing: string }>,
  ): Promise<T[]> => {
    const peer = await starting
    if (!('missing' in peer)) return [await start(Promise.resolve(peer))]
    missing.push(`${name}: ${peer.missing}`)
    return []
  }
  progress.step('Starting the contenders ...')
  const withPeers = !options['without-peers']
  const camel: CallbackContender[] = withPeers
    ? await startPeer('Apache Camel', startCamel(stack, schemas, progress))
    : []
  const connect: PullContender[] = withPeers
    ? await startPeer('Kafka Connect', startConnect(stack, schemas, progress))
    : []
  const contenders: Contenders = {
    fixedAnswers: await start(startFixedAnswerServer()),
    callbacks: [
      await start(startCallbackConnector(stack)),
      ...camel,
      await start(startFastify(stack, schemas)),
      await start(startDurableServer()),
    ],
    pulls: [
      await start(startPullConnector(stack, NAMES.connectorLargePages, { limit: LARGE_PAGES })),
      await start(startPullConnector(stack, NAMES.connectorDefaultLimit)),
      ...connect,
    ],
    publishers: [await start(startPublisherAlone(stack)), await start(startKafkajs(stack))],
  }
  return { contenders, missing }
}

/** The same connector without telemetry, and with two shares of its traces. */
async function startTelemetryContenders(
  stack: Stack,
  progress: Progress,
): Promise<{ contenders: Contenders; missing: string[] }> {
  progress.step('Starting the connectors ...')
  const { child, ready: endpoint } = await BenchChild.start<never, never, string>('otlp-endpoint-process.ts', {})
  started.push(() => child.stop())
  const variants = [
    { name: NAMES.withoutTelemetry },
    { name: NAMES.withTelemetry, sampleRatio: 0.01 },
    { name: NAMES.withAllTraces, sampleRatio: 1 },
  ]
  const callbacks: CallbackContender[] = []
  const pulls: PullContender[] = []
  for (const { name, sampleRatio } of variants) {
    const configure = (configuration: TrialConfiguration): void => {
      if (sampleRatio === undefined) return
      configuration['telemetry'] = { otlp: { endpoint, traces: { sampleRatio }, metrics: { interval: '10s' } } }
    }
    callbacks.push(await start(startCallbackConnector(stack, [], { name, configure })))
    pulls.push(await start(startPullConnector(stack, name, { limit: LARGE_PAGES, configure })))
  }
  const fixedAnswers = await start(startFixedAnswerServer())
  return { contenders: { fixedAnswers, callbacks, pulls, publishers: [] }, missing: [] }
}

/** The same connector with a plain and with an encrypted journal. */
async function startEncryptionContenders(
  stack: Stack,
  progress: Progress,
): Promise<{ contenders: Contenders; missing: string[] }> {
  progress.step('Starting the connectors ...')
  const callbacks: CallbackContender[] = []
  const pulls: PullContender[] = []
  for (const name of [NAMES.withoutEncryption, NAMES.withEncryption]) {
    const configure = ({ journal }: TrialConfiguration): void => {
      if (name === NAMES.withEncryption) journal['encryption'] = { key: randomBytes(32).toString('base64') }
    }
    callbacks.push(await start(startCallbackConnector(stack, [], { name, configure })))
    pulls.push(await start(startPullConnector(stack, name, { limit: LARGE_PAGES, configure })))
  }
  const fixedAnswers = await start(startFixedAnswerServer())
  return { contenders: { fixedAnswers, callbacks, pulls, publishers: [] }, missing: [] }
}

async function measure(stack: Stack, progress: Progress): Promise<BenchReport> {
  const share = Number(options.share)
  const workload = Object.fromEntries(
    Object.entries(FULL_WORKLOAD).map(([name, amount]) => [name, Math.ceil(share * amount)]),
  ) as unknown as Workload
  const { latencySeconds } = workload
  const rounds = Number(options.rounds)
  const isOwnComparison = options.telemetry || options.encryption
  const startAll = options.telemetry
    ? startTelemetryContenders
    : options.encryption
      ? startEncryptionContenders
      : startContenders
  const { contenders, missing } = await startAll(stack, progress)
  const all: readonly Contender[] = [...contenders.callbacks, ...contenders.pulls, ...contenders.publishers]
  const memory = new MemorySampler()
  started.push(async () => memory.stop())
  for (const { pid } of all) memory.watch(pid)
  const run = new BenchRun(
    stack,
    contenders,
    { ...workload, latencySeconds: isOwnComparison ? 0 : latencySeconds },
    progress,
  )
  progress.step('Warming up ...')
  await run.round()
  const measurements: Measurement[] = []
  const startedAt = new Date().toISOString()
  for (let round = 1; round <= rounds; round++) {
    progress.step(`Round ${round} of ${rounds} ...`)
    measurements.push(...(await run.round()))
  }
  return {
    startedAt,
    node: process.version,
    kafka: stack.origin === 'jvm' ? KAFKA_VERSION : `from ${stack.origin}`,
    cores: availableParallelism(),
    rounds,
    workload,
    missing,
    results: summarizeRounds(measurements),
    processes: all.map(({ name, pid }) => ({ contender: name, cpuSeconds: cpuSeconds(pid), ...memory.peakOf(pid) })),
  }
}

if (options.help) {
  console.log(HELP)
} else {
  const progress = progressOn()
  const stack = await startStack({ progress })
  started.push(() => stack.stop())
  try {
    if (options.profile !== undefined) {
      await profileConnector(stack, options.profile, progress)
    } else {
      const report = await measure(stack, progress)
      console.log(formatReport(report))
      if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`)
    }
  } finally {
    for (const stop of started.toReversed()) await stop().catch((error: unknown) => console.error(String(error)))
  }
}
