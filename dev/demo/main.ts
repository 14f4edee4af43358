/**
 * `npm run demo`: both providers (simulated), the connector, and a real broker and registry, for half a minute. In the
 * middle the connector is killed with SIGKILL and started again. Then every item is accounted for.
 *
 * Exit code 0 only if nothing was lost or doubled. `--keep` stays up instead, with a trickle of traffic. `--image NAME` runs
 * the connector in a container of that image instead of the one built here.
 */
import { rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { audit } from './audit.js'
import { callbackUrl, configurationFor, topicsFor } from './configuration.js'
import { ConnectorProcess } from '../connector/connector-process.js'
import type { Row } from './ledger.js'
import { TopicReader } from '../oracle/topic-reader.js'
import type { TopicRecord } from '../oracle/topic-reader.js'
import { fromCheckout, fromImage } from '../connector/program.js'
import { eventLine, number, table } from './output.js'
import { Traffic } from './traffic.js'
import { freePort } from '../ports.js'
import { progressOn } from '../progress.js'
import { MtargetSimulator } from '../simulators/mtarget.js'
import { SevenSimulator } from '../simulators/seven.js'
import { SevenCallbacks } from '../simulators/seven-callbacks.js'
import { retryFor } from '../wait.js'
import { startStack, StackError } from '../stack/index.js'
import { workDirectory } from '../work-directory.js'

const { values: options } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '20' },
    image: { type: 'string' },
  },
})
const TRAFFIC_MS = Number(options.seconds) * 1_000
/** How long nothing may move before the rest is given up for lost. */
const STANDSTILL_MS = 20_000
/** How long the first event may take; a busy machine needs a while to get everything going. */
const FIRST_EVENT_MS = 30_000
/** Of each topic so many records are shown. */
const SHOWN_PER_TOPIC = 4

const progress = progressOn(process.stdout)
const toClose: (() => Promise<unknown> | void)[] = []
let leaving = false

async function closeAll(): Promise<void> {
  for (const close of toClose.splice(0).reverse()) await Promise.resolve(close()).catch(() => undefined)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // npm passes a Ctrl-C on that the terminal has delivered already: the second is no second wish.
    if (leaving) return
    leaving = true
    progress.step('\nStopping ...')
    void closeAll().finally(() => process.exit(130))
  })
}

async function demo(): Promise<number> {
  const stack = await startStack({ progress })
  toClose.push(() => stack.stop())
  const folder = await workDirectory('demo')
  toClose.push(() => rm(folder, { recursive: true, force: true }))

  const mtarget = await MtargetSimulator.start()
  const sevenApi = await SevenSimulator.start()
  const addresses = { callbacksPort: await freePort(), adminPort: await freePort() }
  const seven = new SevenCallbacks({ url: callbackUrl(addresses) })
  toClose.push(
    () => mtarget.stop(),
    () => sevenApi.stop(),
    () => seven.stop(),
  )

  const topics = topicsFor(stack)
  const configuration = configurationFor(stack, topics, addresses, mtarget)
  const program = options.image === undefined ? fromCheckout : fromImage(options.image)
  const connector = await ConnectorProcess.configure(folder, addresses, configuration, program)
  progress.step('Starting the connector ...')
  toClose.push(() => connector.kill())
  await connector.start()
  progress.step(`  ready, process ${connector.pid ?? '?'}`)

  const shown = new Map<string, number>()
  const show = (seen: TopicRecord): void => {
    const count = (shown.get(seen.topic) ?? 0) + 1
    shown.set(seen.topic, count)
    if (count <= SHOWN_PER_TOPIC) progress.step(eventLine(seen, topics))
  }
  const reader = new TopicReader(stack.brokers, stack.registryUrl, topics, show)
  toClose.push(() => reader.stop())
  const traffic = new Traffic(mtarget, seven)
  const line = (): string =>
    `  handed out by Mtarget ${number(traffic.handedOut)}, callbacks answered 200 ${number(traffic.answered)}` +
    ` | ${Object.values(topics)
      .map((topic: string) => `${topic} ${number(reader.count(topic))}`)
      .join(', ')}`
  const ticker = setInterval(() => progress.update(line()), 250)
  toClose.push(() => clearInterval(ticker))

  progress.step(`Both providers are busy for ${TRAFFIC_MS / 1_000} s; decoded events as they come:`)
  const stopTraffic = new AbortController()
  await reader.start()
  const feeding = traffic.run(stopTraffic.signal)
  await retryFor(async () => {
    if (reader.records.length === 0) throw new Error('nothing has come out')
  }, FIRST_EVENT_MS)
  await delay(TRAFFIC_MS * 0.2)
  await traffic.sendBadItems()
  await delay(TRAFFIC_MS * 0.25)
  await killAndRestart(connector, mtarget, traffic)
  await delay(TRAFFIC_MS * 0.5)
  stopTraffic.abort()
  await feeding

  if (options.keep) {
    // Line after line would bury the addresses where no line can be rewritten.
    if (!process.stdout.isTTY) clearInterval(ticker)
    return keepUp(traffic, () => {
      progress.step(`KAFKA_BROKERS=${stack.brokers.join(',')}`)
      progress.step(`SCHEMA_REGISTRY_URL=${stack.registryUrl}`)
      progress.step(`callbacks   ${callbackUrl(addresses)}`)
      progress.step(`admin       http://127.0.0.1:${addresses.adminPort}/`)
      progress.step(`Mtarget     ${mtarget.url} (username ${mtarget.username}, password ${mtarget.password})`)
      progress.step(`seven       ${sevenApi.url} (X-Api-Key ${sevenApi.apiKey})`)
      progress.step(`connector   process ${connector.pid ?? '?'}, configuration and log in ${folder}`)
    })
  }

  progress.step('Traffic has ended; waiting for the last events ...')
  await untilNothingIsMissing(traffic, reader, topics)
  const code = await connector.terminate()
  await reader.readToTheEnd()
  clearInterval(ticker)
  progress.step(line())

  const ledger = audit(traffic, reader.records, topics)
  const rows = ledger.rows()
  progress.step(`\n${table(rows)}\n`)
  for (const topic of Object.values(topics) as string[])
    progress.step(`${topic}: ${number(reader.count(topic))} records`)
  return verdict(rows, ledger.strange, code, connector)
}

/** The promise at work: pulls and callbacks are under way when the process dies. */
async function killAndRestart(connector: ConnectorProcess, mtarget: MtargetSimulator, traffic: Traffic): Promise<void> {
  let resumed: () => void = () => undefined
  traffic.pauseCallbacksUntil(new Promise<void>((resolve) => (resumed = resolve)))
  progress.step(`Killing the connector (kill -9 ${connector.pid ?? '?'}) under load ...`)
  const killedAt = Date.now()
  await connector.kill()
  mtarget.noteClientRestart()
  await connector.start()
  resumed()
  progress.step(
    `  started again, ready after ${((Date.now() - killedAt) / 1_000).toFixed(1)} s, process ${connector.pid ?? '?'}`,
  )
}

async function untilNothingIsMissing(
  traffic: Traffic,
  reader: TopicReader,
  topics: Parameters<typeof audit>[2],
): Promise<void> {
  let movedAt = Date.now()
  let before = ''
  while (Date.now() - movedAt < STANDSTILL_MS) {
    const total = audit(traffic, reader.records, topics).rows().at(-1)
    if (traffic.isDrained() && total?.lost === 0) return
    const now = `${traffic.handedOut} ${reader.records.length}`
    if (now !== before) movedAt = Date.now()
    before = now
    await delay(250)
  }
}

async function verdict(rows: Row[], strange: string[], code: number, connector: ConnectorProcess): Promise<number> {
  const total = rows.at(-1)
  if (total === undefined) return 1
  const notOwed = total.handedOut - total.owed
  if (notOwed > 0) {
    progress.step(
      `${number(notOwed)} of them were on the wire at the kill -9, neither answered 200 nor followed by another request: ` +
        'nobody promised those.',
    )
  }
  for (const phrase of strange.slice(0, 10)) progress.step(`WRONG: ${phrase}`)
  if (code !== 0) progress.step(`WRONG: the connector ended with code ${code}\n${await connector.endOfLog()}`)
  const isGood = total.lost === 0 && total.doubled === 0 && strange.length === 0 && code === 0
  progress.step(isGood ? 'Nothing lost, nothing doubled.' : `lost ${total.lost}, doubled ${total.doubled}`)
  return isGood ? 0 : 1
}

async function keepUp(traffic: Traffic, printAddresses: () => void): Promise<number> {
  progress.step('\nStaying up with a trickle of traffic; Ctrl-C ends it all.')
  printAddresses()
  await traffic.run(new AbortController().signal, 0.1)
  return 0
}

try {
  process.exitCode = await demo()
} catch (error) {
  if (!leaving) {
    const isExpected =
      error instanceof StackError || (error instanceof Error && error.message.includes('did not start'))
    progress.step(isExpected ? (error as Error).message : error instanceof Error ? (error.stack ?? '') : String(error))
    process.exitCode = 1
  }
} finally {
  if (!leaving) await closeAll()
}
