/** Kafka, the registry, or both are down, refuse, or hang: intake continues, and publishing resumes by itself. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { LoadGenerator } from '../../dev/oracle/load-generator.js'
import { distinctAnswers, sendReceipts, expectEachItemOnce } from '../support/trial-assertions.js'
import { call } from '../support/call.js'
import { TcpGate } from '../../dev/fault-injection/tcp-gate.js'
import { withAdmin } from '../../dev/kafka/topics.js'
import { OWN_STACK_UNAVAILABLE, startOwnStackIfPossible, type OwnStack } from '../support/own-stack.js'
import { runCommand } from '../../dev/connector/command.js'
import { startTrial, untilPublished, type Trial } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'

// These tests restart brokers and registries, which takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000 })

const shared = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
const data = new ProviderData(11)

let trial: Trial
afterEach(() => trial?.stop())

/** Waits until `/status.json` shows that publishing waits for a reason that matches. */
const untilWaiting = (reason: RegExp): Promise<void> =>
  until(async () => {
    const { publishing } = await trial.status()
    return publishing.state === 'waiting' && reason.test(publishing.reason ?? '')
  })

/** Waits until the queue of Mtarget is empty and the connector has received an empty page. */
const untilPulled = (): Promise<void> =>
  until(() => trial.mtarget.queued === 0 && trial.mtarget.answers.at(-1)?.rows.length === 0)

/** Load on both ways of intake; the caller stops it. */
const startLoad = (): LoadGenerator => {
  const load = new LoadGenerator(trial.mtarget, () => trial.seven, { seed: 11 })
  load.start()
  return load
}
const takenCallbacks = (): number => trial.seven.outcomes.filter(({ status }) => status === 200).length

const isReady = async (): Promise<boolean> => (await call(`${trial.adminUrl}/readyz`)).status === 200

/** The log lines about publishing, in order. */
const publishingLog = async (): Promise<string[]> =>
  (await trial.log()).map(({ msg }) => msg).filter((msg) => msg.startsWith('publishing'))
const WAITS = expect.stringMatching(/^publishing waits and is retried until it succeeds, intake continues: ./) as string

/** Waits until everything is published, stops the connector, and expects that each item was published once. */
async function stopAndExpectOnceEach(expected?: number): Promise<void> {
  await untilPublished(trial)
  expect(await trial.metric('dlrmo_publishing')).toBe(1)
  expect((await trial.status()).publishing.state).toBe('ok')
  expect(await trial.connector.terminate()).toBe(0)
  const seen = await trial.readAll()
  expectEachItemOnce(trial, seen)
  if (expected !== undefined) expect(seen).toHaveLength(expected)
}

describe('A broker and a registry that are killed and restarted', () => {
  let stack: OwnStack
  let found: OwnStack | undefined
  beforeAll(async () => {
    found = await startOwnStackIfPossible()
  })
  beforeEach(({ skip }) => {
    if (found === undefined) return skip(OWN_STACK_UNAVAILABLE)
    stack = found
  })
  afterAll(() => found?.stop())

  it('before the start of the connector: everything is received, survives kill -9, and is published once each', async () => {
    trial = await startTrial(stack)
    await stack.broker.kill()
    await stack.registry.stop()
    trial.mtarget.enqueue(data.mtargetMix(500))
    await trial.connector.start()
    expect(await isReady()).toBe(true)
    expect(distinctAnswers(await sendReceipts(trial, data, 2_000))).toEqual([200])
    await untilPulled()
    await untilWaiting(/registry/)
    expect(await trial.metric('dlrmo_publishing')).toBe(0)
    await trial.connector.kill()

    trial.mtarget.noteClientRestart()
    await trial.connector.start()
    expect(distinctAnswers(await sendReceipts(trial, data, 100))).toEqual([200])
    expect((await trial.status()).journal.entries).toBeGreaterThan(2_100)
    await stack.registry.start()
    await untilWaiting(/Kafka/)
    expect((await trial.status()).registry.state).toBe('ok')
    await stack.broker.restart()
    await stopAndExpectOnceEach(2_600)
  })

  it('under load: callbacks are accepted, and nothing is lost or doubled', async () => {
    trial = await startTrial(stack)
    await trial.connector.start()
    const load = startLoad()
    await until(async () => (await trial.sum('dlrmo_events_published_total')) > 100)
    await stack.broker.kill()
    await untilWaiting(/ECONNREFUSED/)
    const before = takenCallbacks()
    await until(() => takenCallbacks() > before + 200)
    expect(await isReady()).toBe(true)
    await stack.broker.restart()
    await until(async () => (await trial.status()).publishing.state === 'ok')
    await load.stop()
    expect(distinctAnswers(trial.seven.outcomes)).toEqual([200])
    await stopAndExpectOnceEach()
    expect(await publishingLog()).toEqual(['publishing has started', WAITS, 'publishing has resumed'])
  })

  it('paused for longer than requestTimeout: callbacks are accepted, and nothing is lost or doubled', async () => {
    trial = await startTrial(stack, ({ kafka }) => (kafka['requestTimeout'] = '1s'))
    await trial.connector.start()
    const load = startLoad()
    await until(async () => (await trial.sum('dlrmo_events_published_total')) > 100)
    await stack.broker.pause()
    try {
      await untilWaiting(/./)
      const before = takenCallbacks()
      await until(() => takenCallbacks() > before + 200)
    } finally {
      await stack.broker.resume()
    }
    await until(async () => (await trial.status()).publishing.state === 'ok')
    await load.stop()
    expect(distinctAnswers(trial.seven.outcomes)).toEqual([200])
    await stopAndExpectOnceEach()
  })

  it('while the journal fills: callbacks get 503 and pulling stops, and both resume afterwards', async () => {
    trial = await startTrial(stack, ({ journal, sources }) => {
      journal['maxBytes'] = '512KiB'
      sources['mtarget-fr'].pull['maxAnswer'] = '128KiB'
    })
    await stack.broker.kill()
    await trial.connector.start()
    await until(async () => {
      trial.mtarget.enqueue(data.mtargetMix(100))
      return (await sendReceipts(trial, data, 100)).some(({ status }) => status === 503)
    })
    const refused = await call(`${trial.callbackUrl}?msg_id=refused&status=DELIVERED`)
    expect(refused.status).toBe(503)
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    const probe = await call(`${trial.adminUrl}/readyz`)
    expect(probe.status).toBe(503)
    expect(probe.body).toMatch(/the journal holds \d+ of at most 524288 bytes \(journal.maxBytes\)/)
    await until(async () => (await trial.status()).sources[0]?.pull?.state === 'journal-full')
    const asked = trial.mtarget.answers.length
    trial.mtarget.enqueue(data.mtargetMix(50))
    expect(distinctAnswers(await sendReceipts(trial, data, 50))).toEqual([503])
    expect(trial.mtarget.answers).toHaveLength(asked)

    await stack.broker.restart()
    await untilPublished(trial)
    expect(await isReady()).toBe(true)
    expect(distinctAnswers(await sendReceipts(trial, data, 50))).toEqual([200])
    const logLines = async (about: string): Promise<string[]> =>
      (await trial.log()).map(({ msg }) => msg).filter((msg) => msg.includes(about))
    await until(async () => {
      await sendReceipts(trial, data, 1)
      return (await logLines('callbacks get')).length > 1
    })
    await stopAndExpectOnceEach()
    expect(await logLines('callbacks get')).toEqual([
      'callbacks get 503 because the journal refuses entries',
      'callbacks get 200 again because the journal accepts entries',
    ])
    expect(await logLines('room')).toEqual([
      'pulling waits because the journal has no room for an answer of maxAnswer bytes',
      'pulling continues because the journal has room again',
    ])
  })
})

describe('A registry that is unreachable at the start', () => {
  let registry: TcpGate
  beforeEach(async () => {
    registry = await TcpGate.startInFrontOf(shared.registryUrl)
  })
  afterEach(() => registry.close())

  /** The connector reaches the registry through the gate, the test reaches it directly. */
  const start = async (): Promise<void> => {
    trial = await startTrial(shared, (configuration) => (configuration.registry['url'] = registry.url))
  }

  it('is not needed if the schema ids are remembered from an earlier run', async () => {
    await start()
    await trial.connector.start()
    await sendReceipts(trial, data, 10)
    await untilPublished(trial)
    expect(await trial.connector.terminate()).toBe(0)

    await registry.close()
    await trial.connector.start()
    expect(distinctAnswers(await sendReceipts(trial, data, 10))).toEqual([200])
    await untilPublished(trial)
    expect(await trial.sum('dlrmo_events_published_total')).toBe(10)
    expect((await trial.status()).registry).toMatchObject({ state: 'waiting', reason: expect.any(String) as string })
    await registry.open()
    await until(async () => {
      await sendReceipts(trial, data, 1)
      return (await trial.status()).registry.state === 'ok'
    })
    await stopAndExpectOnceEach()
  })

  it('is waited for if no schema ids are remembered', async () => {
    await start()
    await registry.close()
    await trial.connector.start()
    expect(distinctAnswers(await sendReceipts(trial, data, 10))).toEqual([200])
    await untilWaiting(/the schema registry at http.* can't be reached/)
    expect((await trial.status()).registry.state).toBe('waiting')
    expect(await isReady()).toBe(true)
    await registry.open()
    await stopAndExpectOnceEach(10)
    expect(await publishingLog()).toEqual([WAITS, 'publishing has started'])
  })
})

describe('Publishing waits and intake continues', () => {
  const check = () => runCommand(['check', '--config', 'connector.yaml'], { cwd: trial.folder })

  const takeIn = async (): Promise<void> => {
    await trial.connector.start()
    trial.mtarget.enqueue(data.mtargetMix(100))
    expect(distinctAnswers(await sendReceipts(trial, data, 100))).toEqual([200])
    await untilPulled()
    expect(await isReady()).toBe(true)
  }

  it('while the registry refuses an incompatible schema, until the subject is repaired', async () => {
    trial = await startTrial(shared)
    const subject = `${trial.topics.dlr}-value`
    const registry = async (path: string, method: string, body?: object): Promise<unknown> => {
      const response = await fetch(`${shared.registryUrl}${path}`, {
        method,
        headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      expect([path, response.status]).toEqual([path, 200])
      return response.json()
    }
    const fields = [{ name: 'eventId', type: 'long' }]
    const schema = JSON.stringify({ type: 'record', name: 'DeliveryReceipt', namespace: 'sms.events', fields })
    await registry(`/subjects/${subject}/versions`, 'POST', { schema })
    await registry(`/config/${subject}`, 'PUT', { compatibility: 'FULL_TRANSITIVE' })

    const { code, stdout } = await check()
    expect(code).toBe(2)
    expect(stdout).toMatch(new RegExp(`FAILED +schema ${subject} .*level FULL_TRANSITIVE.*field eventId`))

    await takeIn()
    await untilWaiting(new RegExp(`${subject}.*level FULL_TRANSITIVE.*field eventId`))
    expect(await trial.metric('dlrmo_publishing')).toBe(0)
    expect((await trial.status()).registry.state).toBe('waiting')
    expect(await registry(`/config/${subject}`, 'GET')).toEqual({ compatibilityLevel: 'FULL_TRANSITIVE' })
    expect(await registry(`/subjects/${subject}/versions`, 'GET')).toEqual([1])

    await registry(`/config/${subject}`, 'PUT', { compatibility: 'NONE' })
    await untilPublished(trial)
    expect(await registry(`/config/${subject}`, 'GET')).toEqual({ compatibilityLevel: 'NONE' })
    // Everything is well but that the running connector holds the journal.
    expect((await check()).code).toBe(4)
    await stopAndExpectOnceEach(200)
    expect(await publishingLog()).toEqual([WAITS, 'publishing has started'])
  })

  it('while topics are missing, until they are created', async () => {
    trial = await startTrial(shared, ({ kafka }) => delete kafka['createTopics'])
    const { dlr, mo, deadLetter } = trial.topics
    const missing = new RegExp(`topics ${dlr}, ${mo}, ${deadLetter} do not exist.*create`)
    expect(await check()).toMatchObject({ code: 3, stdout: expect.stringMatching(missing) as string })

    await takeIn()
    await untilWaiting(missing)
    expect(await trial.metric('dlrmo_publishing')).toBe(0)
    await withAdmin(shared.brokers, (admin) =>
      admin.createTopics({ topics: [dlr, mo, deadLetter].map((topic) => ({ topic, numPartitions: 2 })) }),
    )
    await untilPublished(trial)
    // Everything is well but that the running connector holds the journal.
    expect((await check()).code).toBe(4)
    await stopAndExpectOnceEach(200)
    expect(await publishingLog()).toEqual([WAITS, 'publishing has started'])
  })

  it('while registry.url is the address of another service, until it is corrected', async () => {
    trial = await startTrial(
      shared,
      ({ registry }) => (registry['url'] = `${new URL(shared.registryUrl).origin}/somewhere/else`),
    )
    expect(await check()).toMatchObject({
      code: 3,
      stdout: expect.stringMatching(/FAILED +registry .*registry.url/) as string,
    })
    await takeIn()
    await untilWaiting(/registry.url/)
    expect(await trial.connector.terminate()).toBe(0)
    await trial.configure(({ registry }) => (registry['url'] = shared.registryUrl))
    trial.mtarget.noteClientRestart()
    await trial.connector.start()
    await stopAndExpectOnceEach(200)
  })
})
