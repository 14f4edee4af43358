/**
 * `npm run demo`: both providers (simulated), the connector, and a real broker and registry for half a minute. In the
 * middle the connector is killed with SIGKILL and started again. In the end every item is accounted for.
 *
 * The exit code is 0 only if nothing was lost or doubled. With `--keep` everything stays up with a little load. With
 * `--image NAME` the connector runs in a container of that image instead of from this checkout.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ConnectorStartError } from '../connector/connector-process.js'
import { fromCheckout, fromImage } from '../connector/program.js'
import { LoadGenerator } from '../oracle/load-generator.js'
import { listProblems, type Verdict } from '../oracle/oracle.js'
import type { TopicReader, Topics } from '../oracle/topic-reader.js'
import { parseCommandLine } from '../command-line.js'
import { progressOn } from '../progress.js'
import { SevenSimulator } from '../simulators/seven.js'
import { startStack, StackError, type Stack } from '../stack/index.js'
import { formatNumber } from '../table.js'
import { startTrial, untilPublished, type Trial } from '../trial.js'
import { until } from '../wait.js'
import { formatRecord, formatVerdict } from './output.js'

const USAGE = `npm run demo -- [--keep] [--seconds 20] [--image NAME]

--keep         stays up after the demo and prints the addresses
--seconds N    sends events for N seconds
--image NAME   runs the connector in a container of this image`

const { values: options } = parseCommandLine(USAGE, {
  options: {
    keep: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '20' },
    image: { type: 'string' },
  },
})
const LOAD_MS = Number(options.seconds) * 1_000
/** A busy machine needs a while until the first event is published. */
const FIRST_EVENT_TIMEOUT_MS = 30_000
const RECORDS_SHOWN_PER_TOPIC = 4
const MAX_PROBLEMS_SHOWN = 10
const PROGRESS_INTERVAL_MS = 250
const SEED = 2_026
/** The speed of the load with `--keep`, compared with that of the demo. */
const KEEP_SPEED = 0.1

const progress = progressOn(process.stdout)
const cleanUps: (() => Promise<unknown> | void)[] = []
let isLeaving = false

async function cleanUp(): Promise<void> {
  for (const action of cleanUps.splice(0).reverse()) await Promise.resolve(action()).catch(() => undefined)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // npm forwards a Ctrl-C that the terminal has already delivered to this process, so a second signal means nothing.
    if (isLeaving) return
    isLeaving = true
    progress.step('\nStopping ...')
    void cleanUp().finally(() => process.exit(130))
  })
}

async function runDemo(): Promise<number> {
  const stack = await startStack({ progress })
  cleanUps.push(() => stack.stop())
  const program = options.image === undefined ? fromCheckout : fromImage(options.image)
  const trial = await startTrial(
    stack,
    (configuration) => {
      configuration.instance = `demo-${process.pid}`
      // The real queue is asked again after minutes, which is too long to watch.
      configuration.sources['mtarget-fr'].pull['idleDelay'] = '500ms'
    },
    { topics: topicsOn(stack), program, account: { username: 'demo', password: 'secret' } },
  )
  cleanUps.push(() => trial.stop())
  progress.step('Starting the connector ...')
  await trial.connector.start()
  progress.step(`  ready, process ${trial.connector.pid ?? '?'}`)
  progress.step(`Both providers are busy for ${LOAD_MS / 1_000} s; some of the decoded events as they arrive:`)
  const reader = await trial.follow()
  const stopShowing = showProgress(trial, reader)
  // seven calls once, so callbacks to a connector that is restarting would prove only that a closed port takes nothing.
  let isRestarting = false
  const load = new LoadGenerator(trial.mtarget, () => (isRestarting ? undefined : trial.seven), {
    seed: SEED,
    rowsPerBatch: 8,
  })
  cleanUps.push(() => load.stop())
  load.start()
  await until(() => reader.records.length > 0, FIRST_EVENT_TIMEOUT_MS)
  await delay(LOAD_MS * 0.2)
  trial.mtarget.fault({ body: '<html>maintenance</html>', headers: { 'content-type': 'text/html' } })
  await delay(LOAD_MS * 0.25)
  await killAndRestart(trial, (value) => {
    isRestarting = value
  })
  await delay(LOAD_MS * 0.5)
  if (options.keep) return keepRunning(stack, trial, load, stopShowing)

  await load.stop()
  progress.step('The load has ended; waiting for the last events ...')
  await untilPublished(trial).catch((error: unknown) => progress.step(`Not everything was published: ${String(error)}`))
  const exitCode = await trial.connector.terminate()
  await reader.readToTheEnd()
  stopShowing()
  progress.step(formatProgress(trial, reader))
  return showVerdict(trial, trial.audit(reader.records), exitCode)
}

/** The default topics on a broker that the demo has started. Another broker may hold real events in topics of that name. */
function topicsOn(stack: Stack): Topics {
  const prefix = stack.origin === 'environment' ? `dlrmo-demo-${Date.now()}` : 'sms'
  return { dlr: `${prefix}.dlr`, mo: `${prefix}.mo`, deadLetter: `${prefix}.dead-letter` }
}

/** Shows the first records of each topic and the counts, until the returned function is called. */
function showProgress(trial: Trial, reader: TopicReader): () => void {
  const shown = new Map<string, number>()
  let next = 0
  const timer = setInterval(() => {
    for (const record of reader.records.slice(next)) {
      const count = shown.get(record.topic) ?? 0
      shown.set(record.topic, count + 1)
      if (count < RECORDS_SHOWN_PER_TOPIC) progress.step(formatRecord(record, trial.topics))
    }
    next = reader.records.length
    progress.update(formatProgress(trial, reader))
  }, PROGRESS_INTERVAL_MS)
  const stop = (): void => clearInterval(timer)
  cleanUps.push(stop)
  return stop
}

function formatProgress({ mtarget, seven, topics }: Trial, reader: TopicReader): string {
  const rows = mtarget.answers.reduce((sum, answer) => sum + answer.rows.length, 0)
  const taken = seven.outcomes.filter(({ status }) => status === 200).length
  const counts = [topics.dlr, topics.mo, topics.deadLetter].map(
    (topic) => `${topic} ${formatNumber(reader.count(topic))}`,
  )
  const handedOut = `handed out by Mtarget ${formatNumber(rows)}, callbacks answered 200 ${formatNumber(taken)}`
  return `  ${handedOut} | ${counts.join(', ')}`
}

/** Kills the connector while pulls and callbacks are under way. */
async function killAndRestart(
  { connector, mtarget }: Trial,
  setRestarting: (isRestarting: boolean) => void,
): Promise<void> {
  progress.step(`Killing the connector (kill -9 ${connector.pid ?? '?'}) under load ...`)
  const killedAt = Date.now()
  const killed = connector.kill()
  setRestarting(true)
  await killed
  mtarget.noteClientRestart()
  await connector.start()
  setRestarting(false)
  const seconds = ((Date.now() - killedAt) / 1_000).toFixed(1)
  progress.step(`  started again, ready after ${seconds} s, process ${connector.pid ?? '?'}`)
}

async function showVerdict({ connector }: Trial, verdict: Verdict, exitCode: number): Promise<number> {
  progress.step(`\n${formatVerdict(verdict)}\n`)
  progress.step(
    'Handed out are all callbacks and rows, repetitions included; owed are the items that were acknowledged.',
  )
  if (verdict.total.gone > 0) {
    progress.step(
      `${formatNumber(verdict.total.gone)} rows were on the wire when the connector was killed and are gone, ` +
        'because the queue had forgotten them already.',
    )
  }
  const problems = listProblems(verdict)
  if (exitCode !== 0) problems.push(`the connector ended with code ${exitCode}\n${await connector.endOfLog()}`)
  for (const problem of problems.slice(0, MAX_PROBLEMS_SHOWN)) progress.step(problem)
  const { lost, doubled } = verdict.total
  const isSound = problems.length === 0
  progress.step(isSound ? 'Nothing lost, nothing doubled.' : `lost ${lost}, doubled ${doubled}, see above`)
  return isSound ? 0 : 1
}

/** Never ends by itself. */
async function keepRunning(stack: Stack, trial: Trial, load: LoadGenerator, stopShowing: () => void): Promise<number> {
  // Without a terminal each update is a new line, and the addresses would scroll away.
  if (!process.stdout.isTTY) stopShowing()
  load.speed = KEEP_SPEED
  const seven = await SevenSimulator.start()
  cleanUps.push(() => seven.stop())
  const { mtarget, connector } = trial
  progress.step('\nEverything stays up with a little load until Ctrl-C.')
  progress.step(`KAFKA_BROKERS=${stack.brokers.join(',')}`)
  progress.step(`SCHEMA_REGISTRY_URL=${stack.registryUrl}`)
  progress.step(`callbacks   ${trial.callbackUrl}`)
  progress.step(`admin       ${trial.adminUrl}/`)
  progress.step(`Mtarget     ${mtarget.url} (username ${mtarget.username}, password ${mtarget.password})`)
  progress.step(`seven       ${seven.url} (X-Api-Key ${seven.apiKey})`)
  progress.step(`connector   process ${connector.pid ?? '?'}, configuration and log in ${trial.folder}`)
  return new Promise<never>(() => undefined)
}

function showError(error: unknown): void {
  if (error instanceof StackError || error instanceof ConnectorStartError) progress.step(error.message)
  else progress.step(error instanceof Error ? (error.stack ?? error.message) : String(error))
}

try {
  process.exitCode = await runDemo()
} catch (error) {
  if (!isLeaving) {
    showError(error)
    process.exitCode = 1
  }
} finally {
  if (!isLeaving) await cleanUp()
}
