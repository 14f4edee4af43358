/**
 * Rehearsals of docs/runbook.md: each breaks a real system, finds the log event, status and metric that the entry names, does
 * what the entry says, and finds that nothing is lost. test/runbook.test.ts lists these and the rehearsals in other files.
 */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import kafkajs from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { runCommand } from '../../dev/connector/command.js'
import type { LogLine } from '../../dev/connector/connector-process.js'
import {
  compileLibrary,
  compilerProblem,
  FAILING_DISK_SOURCE,
  removeLibrary,
} from '../../dev/fault-injection/native-library.js'
import { mountError, SmallDisk } from '../../dev/fault-injection/small-disk.js'
import { shiftClock } from '../../dev/faults/preload.js'
import { withAdmin } from '../../dev/kafka/topics.js'
import { MTARGET_SOURCE, SEVEN_SOURCE } from '../../dev/oracle/expected-records.js'
import { listProblems } from '../../dev/oracle/oracle.js'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { MtargetSimulator } from '../../dev/simulators/mtarget.js'
import { SevenCallbacks } from '../../dev/simulators/seven-callbacks.js'
import { receiptEvent } from '../../dev/simulators/seven-requests.js'
import { findJava } from '../../dev/stack/jvm/java.js'
import { startTrial, untilPublished, type Trial, type TrialConfiguration } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'
import type { LogEvent } from '../../src/core/log-events.js'
import { PASSWORD, type Right, type SecureBroker, startSecureBroker, USER } from '../chart/support/secure-broker.js'
import { call } from '../support/call.js'
import { distinctAnswers, expectEachItemOnce, sendReceipts } from '../support/trial-assertions.js'

const shared = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
const data = new ProviderData(13)
const MIB = 1024 * 1024
const THREE_HOURS_MS = 3 * 3_600_000

const runbook = await readFile(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8')

let trial: Trial
afterEach(() => trial?.stop())

/** Lets a process that can't publish end at once. */
const stopFast = (configuration: TrialConfiguration): void => void (configuration['shutdownGrace'] = '100ms')

/** Waits for a line with the event, which the entry of the runbook must name. */
async function untilLogged(entry: string, event: LogEvent): Promise<LogLine> {
  const text = runbook.split(/^### /m).find((each) => each.startsWith(`${entry}\n`)) ?? ''
  expect(text).toContain(`\`${event}\``)
  let found: LogLine | undefined
  await until(async () => {
    found = (await trial.log()).findLast((line) => line['event'] === event)
    return found !== undefined
  })
  return found!
}

const checkOutput = async (): Promise<string> =>
  (await runCommand(['check', '--config', 'connector.yaml'], { cwd: trial.folder })).stdout

const takeCallbacks = async (count = 20): Promise<void> =>
  expect(distinctAnswers(await sendReceipts(trial, data, count))).toEqual([200])

/** Waits until everything is published, and expects that each item was published once. */
async function expectHealed(): Promise<void> {
  await untilPublished(trial)
  await until(async () => (await trial.status()).publishing.state === 'ok')
  expect(await trial.connector.terminate()).toBe(0)
  expectEachItemOnce(trial, await trial.readAll())
}

describe.skipIf('missing' in (await findJava()))('With a broker that asks for a password and for rights', () => {
  let broker: SecureBroker
  beforeAll(async () => {
    broker = await startSecureBroker()
  }, 120_000)
  afterAll(() => broker?.stop())

  async function begin(password: string): Promise<Right[]> {
    trial = await startTrial({ ...shared, brokers: [broker.backDoor] }, (configuration) => {
      const { kafka } = configuration
      stopFast(configuration)
      delete kafka['createTopics']
      kafka['brokers'] = [broker.address]
      kafka['tls'] = { ca: broker.authority }
      kafka['sasl'] = { mechanism: 'plain', username: USER, password }
    })
    const { dlr, mo, deadLetter } = trial.topics
    await withAdmin([broker.backDoor], (admin) =>
      admin.createTopics({ topics: [dlr, mo, deadLetter].map((topic) => ({ topic, numPartitions: 2 })) }),
    )
    const right = (type: 'topic' | 'group' | 'transactionalId', name: string, ...operations: Right['operations']) => ({
      resource: { type, name, patternType: type === 'topic' ? 'literal' : 'prefix' },
      operations,
    })
    await broker.forbid()
    return [
      right('topic', dlr, 'Write'),
      right('topic', mo, 'Write'),
      right('topic', deadLetter, 'Write', 'Read'),
      right('transactionalId', `dlr-mo-connector.${trial.name}`, 'Write'),
      right('group', `dlr-mo-connector.${trial.name}.`, 'Read'),
    ]
  }

  it('A wrong Kafka password is named with its key, and what was received is published after it is corrected', async () => {
    await broker.allow(await begin('wrong'))
    expect(await checkOutput()).toMatch(/FAILED +kafka .*kafka\.sasl/)
    await trial.connector.start()
    await takeCallbacks()
    const line = await untilLogged('DlrMoConnectorPublishingHeldUp', 'publishing-waiting')
    expect(line).toMatchObject({
      level: 'warn',
      code: 'KAFKA_REFUSED',
      msg: expect.stringMatching(/kafka\.sasl/) as string,
    })
    expect(await trial.metric('dlrmo_publishing')).toBe(0)

    expect(await trial.connector.terminate()).toBe(0)
    await trial.configure(({ kafka }) => Object.assign(kafka['sasl'] as object, { password: PASSWORD }))
    trial.mtarget.noteClientRestart()
    await trial.connector.start()
    await expectHealed()
  })

  it('A right that is missing is named with its topic, and publishing goes on by itself when it is granted', async () => {
    const rights = await begin(PASSWORD)
    await broker.allow(rights.slice(1))
    const missing = new RegExp(`no right on topic ${trial.topics.dlr}; grant it Write`)
    expect(await checkOutput()).toMatch(missing)
    await trial.connector.start()
    await takeCallbacks()
    const line = await untilLogged('DlrMoConnectorPublishingHeldUp', 'publishing-waiting')
    expect(line).toMatchObject({ code: 'KAFKA_REFUSED', msg: expect.stringMatching(missing) as string })

    await broker.allow(rights.slice(0, 1))
    await expectHealed()
  })
})

describe('Without what Kafka needs', () => {
  it('A topic that takes only small records is named with both settings, and the events are published when it takes larger ones', async () => {
    trial = await startTrial(shared)
    await trial.connector.start()
    await takeCallbacks()
    await untilPublished(trial)
    const { dlr } = trial.topics
    const allow = (bytes: number): Promise<unknown> =>
      withAdmin(shared.brokers, (admin) =>
        admin.alterConfigs({
          validateOnly: false,
          resources: [
            {
              type: kafkajs.ConfigResourceTypes.TOPIC,
              name: dlr,
              configEntries: [{ name: 'max.message.bytes', value: String(bytes) }],
            },
          ],
        }),
      )
    await allow(300)
    await takeCallbacks()
    const line = await untilLogged('DlrMoConnectorPublishingHeldUp', 'publishing-waiting')
    expect(line).toMatchObject({ code: 'KAFKA_REFUSED' })
    expect(line.msg).toMatch(
      new RegExp(`MESSAGE_TOO_LARGE.*kafka\\.maxBatchBytes.*max\\.message\\.bytes of topic ${dlr}`),
    )

    await allow(MIB)
    await expectHealed()
  })

  it('A clock that is three hours ahead is named with the difference, and the events are published when it is right', async () => {
    trial = await startTrial(shared, stopFast)
    await trial.connector.start({ env: shiftClock(THREE_HOURS_MS) })
    await takeCallbacks()
    const line = await untilLogged('DlrMoConnectorPublishingHeldUp', 'publishing-waiting')
    const diagnosis = /INVALID_TIMESTAMP.*clock is 10[78]\d\d s ahead/
    expect(line.msg).toMatch(diagnosis)
    // The entries grow older meanwhile, and the reason must stay the clock.
    await until(async () => (await trial.status()).journal.oldestAgeSeconds > 3)
    const { publishing, problems } = await trial.status()
    expect(publishing).toMatchObject({ code: 'KAFKA_REFUSED', reason: expect.stringMatching(diagnosis) as string })
    expect(problems).toMatchObject([{ action: expect.stringMatching(/clock/) as string }])
    const { stdout } = await runCommand(['check', '--config', 'connector.yaml'], {
      cwd: trial.folder,
      env: shiftClock(THREE_HOURS_MS),
    })
    expect(stdout).toMatch(/FAILED +clock .*clock is (3 h|2 h 59 min) .*ahead of the registry's/)
    expect((await trial.log()).filter(({ event }) => event === 'publishing-waiting')).toHaveLength(1)

    expect(await trial.connector.terminate()).toBe(0)
    await trial.connector.start()
    await expectHealed()
  })
})

describe('With a provider', () => {
  const stateOf = async (source: string) => (await trial.status()).sources.find((each) => each.source === source)?.pull

  it('A provider that is away is reported, and its queue is read as soon as it is back', async () => {
    const [username, password] = ['demo', 'secret']
    const away = await MtargetSimulator.start({ username, password })
    const port = Number(new URL(away.url).port)
    await away.stop()
    trial = await startTrial(shared, ({ sources }) => {
      sources['away'] = { provider: 'mtarget', pull: { url: away.url, username, password, idleDelay: '500ms' } }
    })
    expect(await checkOutput()).toMatch(/FAILED +pull.*away/)
    await trial.connector.start()
    const line = await untilLogged('DlrMoConnectorPullFailing', 'pull-failed')
    expect(line).toMatchObject({
      source: 'away',
      outcome: 'network-error',
      detail: expect.stringMatching(/ECONNREFUSED/) as string,
    })
    expect((await stateOf('away'))?.lastError).toMatch(/ECONNREFUSED/)
    await takeCallbacks()

    const back = await MtargetSimulator.start({ username, password, port })
    try {
      back.enqueue(data.mtargetReceipts(30))
      await until(async () => (await trial.log()).some(({ event }) => event === 'pull-recovered'))
      await until(async () => (await trial.metric('dlrmo_events_published_total{source="away",kind="dlr"}')) === 30)
    } finally {
      await back.stop()
    }
  })

  it('A wrong password of a queue is named with its keys, nothing leaves the queue, and all of it is published after the correction', async () => {
    let right: unknown
    trial = await startTrial(shared, ({ sources }) => {
      right = sources[MTARGET_SOURCE].pull['password']
      sources[MTARGET_SOURCE].pull['password'] = 'old'
    })
    trial.mtarget.enqueue(data.mtargetMix(50))
    await trial.connector.start()
    const line = await untilLogged('DlrMoConnectorPullFailing', 'pull-failed')
    expect(line).toMatchObject({ source: MTARGET_SOURCE, outcome: 'account-error' })
    expect(line['detail']).toMatch(
      new RegExp(
        `invalid credential.*sources\\.${MTARGET_SOURCE}\\.pull\\.username and sources\\.${MTARGET_SOURCE}\\.pull\\.password`,
      ),
    )
    expect((await stateOf(MTARGET_SOURCE))?.lastError).toBe(line['detail'])
    expect(trial.mtarget.queued).toBe(50)

    expect(await trial.connector.terminate()).toBe(0)
    await trial.configure(({ sources }) => (sources[MTARGET_SOURCE].pull['password'] = right))
    await trial.connector.start()
    await expectHealed()
  })

  it('A lost answer of a queue is counted and dated, and what the provider puts back is published', async () => {
    trial = await startTrial(shared, ({ sources }) => (sources[MTARGET_SOURCE].pull['timeout'] = '1s'))
    const lost = data.mtargetReceipts(10)
    trial.mtarget.fault({ hang: 'after' })
    trial.mtarget.enqueue(lost)
    await trial.connector.start()
    const line = await untilLogged('DlrMoConnectorPullAnswerLost', 'pull-answer-lost')
    expect(line).toMatchObject({ source: MTARGET_SOURCE, reason: 'timeout' })
    expect(await trial.metric(`dlrmo_pull_answers_lost_total{source="${MTARGET_SOURCE}",reason="timeout"}`)).toBe(1)
    const page = trial.mtarget.answers.find(({ rows }) => rows.length > 0)
    expect(page?.rows).toEqual(lost)

    trial.mtarget.enqueue(lost)
    await until(async () => (await trial.sum('dlrmo_events_published_total')) === lost.length)
    expect((await trial.readAll()).map(({ key }) => key).sort()).toEqual(lost.map(({ MsgId }) => MsgId).sort())
  })

  const isRefused = async (reason: string): Promise<boolean> =>
    (await trial.metric(`dlrmo_callbacks_refused_total{source="${SEVEN_SOURCE}",reason="${reason}"}`)) > 0

  it('A wrong callback token is shown with source and reason, and callbacks are taken after the correction', async () => {
    trial = await startTrial(shared, ({ sources }) => (sources[SEVEN_SOURCE].callback['token'] = 'another-token'))
    await trial.connector.start()
    expect(distinctAnswers(await sendReceipts(trial, data, 5))).toEqual([401])
    const line = await untilLogged('DlrMoConnectorCallbacksUnauthorized', 'callback-rejected')
    expect(line).toMatchObject({ level: 'warn', source: SEVEN_SOURCE, reason: 'token' })
    expect(await isRefused('token')).toBe(true)
    expect(await trial.metric(`dlrmo_last_received_timestamp_seconds{source="${SEVEN_SOURCE}"}`)).toBe(0)

    expect((await call(`${new URL(trial.callbackUrl).origin}/callbacks/another-name/another-token`)).status).toBe(401)
    await until(async () => (await trial.log()).some((each) => each['reason'] === 'unknown-source'))
    const unknown = await untilLogged('DlrMoConnectorCallbacksUnauthorized', 'callback-rejected')
    expect(unknown).toMatchObject({ level: 'warn', source: null, reason: 'unknown-source' })
    const { problems } = await trial.status()
    expect(problems.map(({ title }) => title)).toEqual(['Callbacks are refused with 401', 'Callbacks name no source'])

    expect(await trial.connector.terminate()).toBe(0)
    const token = trial.callbackUrl.slice(trial.callbackUrl.lastIndexOf('/') + 1)
    await trial.configure(({ sources }) => (sources[SEVEN_SOURCE].callback['token'] = token))
    await trial.connector.start()
    await takeCallbacks()
    await expectHealed()
  })

  it('A wrong signing key is shown with source and reason, and callbacks are taken after the correction', async () => {
    const origin = (url: string): string => new URL(url).origin
    trial = await startTrial(shared, ({ sources, callbacks }) => {
      const publicUrl = `http://127.0.0.1:${String(callbacks['port'])}`
      Object.assign(sources[SEVEN_SOURCE].callback, { signingKey: 'new-key', publicUrl })
    })
    const events = data.sevenReceipts(10).map(receiptEvent)
    const provider = new SevenCallbacks({
      url: trial.callbackUrl,
      signingKey: 'old-key',
      publicUrl: origin(trial.callbackUrl),
    })
    try {
      await trial.connector.start()
      expect(distinctAnswers(await provider.send(events))).toEqual([401])
      const line = await untilLogged('DlrMoConnectorCallbacksUnauthorized', 'callback-rejected')
      expect(line).toMatchObject({ source: SEVEN_SOURCE, reason: 'signature-wrong' })
      expect(await isRefused('signature-wrong')).toBe(true)

      expect(await trial.connector.terminate()).toBe(0)
      await trial.configure(({ sources }) => (sources[SEVEN_SOURCE].callback['signingKey'] = 'old-key'))
      await trial.connector.start()
      expect(distinctAnswers(await provider.send(events))).toEqual([200])
      await untilPublished(trial)
      const records = await trial.readAll()
      expect(listProblems(trial.audit(records, { callbacks: [provider] }))).toEqual([])
      expect(records).toHaveLength(10)
    } finally {
      provider.stop()
    }
  })

  it('A poison item becomes a dead letter with its reason, is shown by tail, and holds nothing up', async () => {
    trial = await startTrial(shared)
    await trial.connector.start()
    expect(
      (await trial.seven.sendRaw({ body: 'ping=1', contentType: 'application/x-www-form-urlencoded' })).status,
    ).toBe(200)
    await takeCallbacks()
    await untilPublished(trial)
    const reason = 'not-a-report'
    expect(runbook).toContain(`### Dead letter: ${reason}\n`)
    expect(await trial.metric(`dlrmo_dead_letters_total{source="${SEVEN_SOURCE}",reason="${reason}"}`)).toBe(1)
    const { stdout } = await runCommand(['tail', 'dead-letter', '--since', '2h', '--config', 'connector.yaml'], {
      cwd: trial.folder,
    })
    expect(stdout).toContain(reason)
    const records = await trial.readAll()
    expectEachItemOnce(
      trial,
      records.filter(({ topic }) => topic !== trial.topics.deadLetter),
    )
  })
})

describe.skipIf(mountError !== null)('With a small disk', () => {
  let disk: SmallDisk
  beforeAll(() => {
    disk = new SmallDisk(32 * MIB)
  })
  afterAll(() => disk.unmount())

  it('A full disk refuses callbacks with 503 and says so, and takes them again as soon as there is room', async () => {
    trial = await startTrial(shared, ({ journal, sources }) => {
      journal['directory'] = join(disk.path, 'journal')
      sources[MTARGET_SOURCE].pull['maxAnswer'] = '256KiB'
    })
    await trial.connector.start()
    await takeCallbacks()
    await untilPublished(trial)
    disk.fill()
    await until(async () => (await sendReceipts(trial, data, 20)).some(({ status }) => status === 503))
    const line = await untilLogged('DlrMoConnectorRefusesCustody', 'custody-refused')
    expect(line).toMatchObject({ level: 'error' })
    await until(async () => (await trial.metric('dlrmo_custody_refused')) === 1)
    const { status, body } = await call(`${trial.adminUrl}/readyz`)
    expect({ status, body }).toEqual({ status: 503, body: expect.stringMatching(/disk/) as string })
    expect(await checkOutput()).toMatch(/warning +journal .* has [\d.]+ \w+ free, and journal.maxBytes allows/)

    disk.makeRoom()
    await until(async () => (await call(`${trial.adminUrl}/readyz`)).status === 200)
    await until(async () => (await sendReceipts(trial, data, 5)).every(({ status: answer }) => answer === 200))
    expect(await trial.metric('dlrmo_custody_refused')).toBe(0)
    await expectHealed()
  })
})

describe.skipIf(compilerProblem !== null)('With a disk that fails', () => {
  let library: string
  beforeAll(() => {
    library = compileLibrary(FAILING_DISK_SOURCE)
  })
  afterAll(() => removeLibrary(library))

  /** Starts the connector on a disk whose writes fail in this way as long as the flag exists. */
  async function startOn(
    failure: 'sync' | 'root',
  ): Promise<{ fail: () => Promise<void>; repair: () => Promise<void> }> {
    trial = await startTrial(shared)
    const prefix = join(trial.folder, 'failing')
    const flag = `${prefix}.${failure}`
    await trial.connector.start({ env: { LD_PRELOAD: library, FAILING_DISK: prefix } })
    await takeCallbacks()
    await untilPublished(trial)
    return { fail: () => writeFile(flag, ''), repair: () => rm(flag) }
  }

  it('A page that the journal refuses is held in memory and said to be, and is stored when the disk works again', async () => {
    const { fail, repair } = await startOn('sync')
    trial.mtarget.fault({ latencyMs: 1_500 })
    const asked = trial.mtarget.answers.length
    trial.mtarget.enqueue(data.mtargetMix(40))
    await until(() => trial.mtarget.queued === 0 && trial.mtarget.answers.length > asked)
    await fail()
    const line = await untilLogged('page-refused', 'page-refused')
    expect(line).toMatchObject({ level: 'error', source: MTARGET_SOURCE })
    const { sources } = await trial.status()
    expect(sources.find(({ source }) => source === MTARGET_SOURCE)?.pull?.state).toBe('journal-refuses')

    await repair()
    await until(async () => (await trial.log()).some(({ event }) => event === 'page-stored'))
    await expectHealed()
  })

  it('A journal that can not be written any more ends the process, and a start on a working disk loses nothing', async () => {
    const { fail, repair } = await startOn('root')
    await fail()
    await sendReceipts(trial, data, 20)
    await untilLogged('journal-unusable', 'journal-unusable')
    await until(() => trial.connector.exitCode !== undefined)
    expect(trial.connector.exitCode).toBe(1)

    await repair()
    trial.mtarget.noteClientRestart()
    await trial.connector.start()
    await takeCallbacks()
    await expectHealed()
  })
})
