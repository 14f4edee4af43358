/** What `journal import` leaves out, and what is left when it or the connector that had the journal is killed, with a real broker. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pino from 'pino'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { runCommand } from '../../dev/connector/command.js'
import { MAIN } from '../../dev/connector/program.js'
import { killAtStep } from '../../dev/faults/preload.js'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { startTrial, type Trial, untilPublished } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'
import { systemClock } from '../../src/core/clock.js'
import { createCompressor } from '../../src/kafka/compression.js'
import { fetchJournalPosition } from '../../src/kafka/other-journals.js'
import { ProducerSession } from '../../src/kafka/producer-session.js'
import { RecordTimestamps } from '../../src/kafka/record-timestamps.js'
import { Throttle } from '../../src/kafka/throttle.js'
import { TransactionalProducer } from '../../src/kafka/transactional-producer.js'
import { publisherSettings } from '../support/publisher-settings.js'
import { expectEachItemOnce, sendReceipts } from '../support/trial-assertions.js'

/** Entries that are not published: more than two of the batches in which they are imported. */
const BEHIND = 1_200

const log = pino({ level: 'silent' })
const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
let left: Trial | undefined
let target: Trial | undefined

afterEach(async () => {
  await target?.stop()
  await left?.stop()
  target = undefined
  left = undefined
})

const journal = ({ folder }: Trial, ...args: string[]) =>
  runCommand(['journal', ...args, '--config', 'connector.yaml'], { cwd: folder })

const summaryOf = ({ stdout }: Awaited<ReturnType<typeof journal>>) =>
  JSON.parse(stdout) as { readonly alreadyPublished: number; readonly handedIn: number }

describe('journal import', () => {
  it(
    'leaves out what a killed connector had committed, also where the dead-letter topic has another name, and goes on after kill -9',
    { timeout: 300_000 },
    async () => {
      const data = new ProviderData(72)
      left = await startTrial(stack)
      // It is killed between the commit and the release: its journal holds entries that are published.
      const child = await left.connector.start({ env: killAtStep('release-before', 3) })
      await until(async () => {
        if (child.exitCode === undefined) await sendReceipts(left!, data, 5)
        return child.exitCode !== undefined
      }, 60_000)
      expect(child.exitCode).toBe(137)
      // What arrives while no broker is reached is in the journal alone.
      await left.configure(({ kafka }) => void (kafka['brokers'] = ['127.0.0.1:1']))
      await left.connector.start()
      await sendReceipts(left, data, BEHIND)
      await left.connector.kill()
      const file = join(left.folder, 'export.jsonl')
      expect((await journal(left, 'export', '--offline', '--output', file)).code).toBe(0)
      const header = JSON.parse((await readFile(file, 'utf8')).split('\n', 1)[0]!) as Record<string, unknown>
      expect(header).toMatchObject({ position: null, positionTopic: left.topics.deadLetter })

      const topics = { ...left.topics, deadLetter: `${left.name}.other-dead-letter` }
      target = await startTrial(stack, undefined, { topics })
      const dryRun = summaryOf(await journal(target, 'import', file, '--dry-run', '--json'))
      expect(dryRun.alreadyPublished).toBeGreaterThan(0)
      expect(dryRun.handedIn).toBeGreaterThanOrEqual(BEHIND)

      // The import is killed in the middle: with no connector, and beside one.
      await target.connector.start()
      await target.connector.terminate()
      for (const isBesideConnector of [false, true]) {
        if (isBesideConnector) await target.connector.start()
        const killed = spawn(process.execPath, [MAIN, 'journal', 'import', file], {
          cwd: target.folder,
          env: { ...process.env, CONNECTOR_CONFIG: 'connector.yaml' },
          stdio: 'ignore',
        })
        const exited = once(killed, 'exit')
        const directory = join(target.folder, 'journal')
        const hasBegun = async (): Promise<boolean> => {
          const status = await journal(target!, 'status', '--json', '--directory', directory)
          const { entries, releasedUpTo } = JSON.parse(status.stdout) as { entries: number; releasedUpTo: number }
          return killed.exitCode !== null || entries > 0 || releasedUpTo > 0
        }
        await until(hasBegun, 60_000)
        killed.kill('SIGKILL')
        await exited
      }
      const last = summaryOf(await journal(target, 'import', file, '--json'))
      expect(last).toMatchObject({ alreadyPublished: dryRun.alreadyPublished, handedIn: dryRun.handedIn })
      await untilPublished(target)
      expectEachItemOnce(left, await left.readAll())
    },
  )
})

describe('The position of a journal', () => {
  it('is not told while a transaction is open that stored another one', async () => {
    const name = `import-position-${process.pid}-${Date.now()}`
    const settings = publisherSettings(stack.brokers, name)
    const throttle = new Throttle(systemClock, { throttled: () => undefined })
    const timestamps = new RecordTimestamps(systemClock)
    const compressor = createCompressor('none')
    const session = new ProducerSession({ settings, clock: systemClock, log, throttle, timestamps, compressor })
    const transactionalId = `dlr-mo-connector.${settings.instance}`
    const producer = new TransactionalProducer(
      { requests: session.requests, records: session.records, clock: systemClock },
      { transactionalId, transactionTimeoutMs: 60_000 },
    )
    const position = { groupId: `${transactionalId}.a-journal`, topic: settings.topics.deadLetter, partition: 0 }
    const store = async (offset: bigint): Promise<void> => {
      await producer.begin()
      await producer.storePosition({ ...position, offset, metadata: '' })
    }
    try {
      await session.connect()
      await producer.initialise()
      await store(5n)
      await producer.commit()
      await store(9n)
      let told: number | undefined
      const telling = fetchJournalPosition(settings, 'a-journal', systemClock, log).then((found) => {
        told = found?.position
      })
      await systemClock.sleep(2_000)
      expect(told).toBeUndefined()
      await producer.commit()
      await telling
      expect(told).toBe(8)
    } finally {
      session.destroy()
    }
  })
})
