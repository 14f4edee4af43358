/** Kafka, the registry, or both are away, refuse, or hang: intake goes on, and publishing resumes by itself. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ProviderData } from '../../dev/simulators/data.js'
import { answersOf, callBack, expectOnceEach, Load } from '../support/books.js'
import { call } from '../support/call.js'
import { withAdmin } from '../support/kafka.js'
import { NO_OWN_STACK, ownStack, type OwnStack } from '../support/own-stack.js'
import { runProgram } from '../support/program.js'
import { startTrial, until, untilPublished, type Trial, type TrialConfiguration } from '../support/trial.js'

let stack: OwnStack
let trial: Trial | undefined
const data = new ProviderData(11)

let found: OwnStack | undefined
beforeAll(async () => {
  found = await ownStack()
})
beforeEach(({ skip }) => {
  if (found === undefined) return skip(NO_OWN_STACK)
  stack = found
})
afterEach(async () => {
  await trial?.stop()
  trial = undefined
})
afterAll(() => found?.stop())

const begin = async (change?: (configuration: TrialConfiguration) => void): Promise<Trial> =>
  (trial = await startTrial(stack, change))

/** Until `/status.json` says that publishing waits, for such a reason. */
const untilWaiting = (on: Trial, reason: RegExp): Promise<void> =>
  until(async () => {
    const { publishing } = await on.status()
    return publishing.state === 'waiting' && reason.test(publishing.reason ?? '')
  })

/** Until the queue of Mtarget is empty and the connector knows. */
const untilPulled = (on: Trial): Promise<void> =>
  until(() => on.mtarget.queued === 0 && on.mtarget.answers.at(-1)?.rows.length === 0)

const isReady = async (on: Trial): Promise<boolean> => (await call(`${on.adminUrl}/readyz`)).status === 200

describe('without Kafka and the registry', () => {
  it('it starts, takes everything in, survives kill -9, and publishes each item once when they come', async () => {
    const on = await begin()
    await stack.broker.kill()
    await stack.registry.stop()
    on.mtarget.enqueue(data.mtargetMix(500))
    await on.connector.start()
    expect(await isReady(on)).toBe(true)
    expect(answersOf(await callBack(on, data, 2_000))).toEqual([200])
    await untilPulled(on)
    await untilWaiting(on, /registry/)
    expect(await on.metric('dlrmo_publishing')).toBe(0)
    await on.connector.kill()

    on.mtarget.beginRun()
    await on.connector.start()
    expect(answersOf(await callBack(on, data, 100))).toEqual([200])
    expect((await on.status()).journal.entries).toBeGreaterThan(2_100)
    await stack.registry.start()
    await untilWaiting(on, /Kafka/)
    await stack.broker.restart()
    await untilPublished(on)
    expect(await on.metric('dlrmo_publishing')).toBe(1)
    expect((await on.status()).publishing.state).toBe('ok')
    expect(await on.connector.terminate()).toBe(0)
    const seen = await on.readAll()
    expect(seen).toHaveLength(2_600)
    expectOnceEach(on, seen)
  })
})

describe('a broker', () => {
  it('that is killed under load and comes back costs nothing but time', async () => {
    const on = await begin()
    await on.connector.start()
    const load = new Load(on, data)
    await until(async () => (await on.sum('dlrmo_events_published_total')) > 100)
    await stack.broker.kill()
    await untilWaiting(on, /./)
    const before = load.taken
    await until(() => load.taken > before + 200)
    expect(await isReady(on)).toBe(true)
    await stack.broker.restart()
    await until(async () => (await on.status()).publishing.state === 'ok')
    await load.stop()
    expect([...load.others]).toEqual([])
    await untilPublished(on)
    expect(await on.connector.terminate()).toBe(0)
    expectOnceEach(on, await on.readAll())
    const said = (await on.log()).map(({ msg }) => msg).filter((msg) => msg.startsWith('publishing'))
    expect(said).toEqual([expect.stringMatching(/^publishing waits, intake goes on: /), 'publishing goes on'])
  })

  it('that hangs for longer than requestTimeout costs nothing but time', async () => {
    const on = await begin(({ kafka }) => (kafka['requestTimeout'] = '1s'))
    await on.connector.start()
    const load = new Load(on, data)
    await until(async () => (await on.sum('dlrmo_events_published_total')) > 100)
    await stack.broker.pause()
    try {
      await untilWaiting(on, /./)
      const before = load.taken
      await until(() => load.taken > before + 200)
    } finally {
      await stack.broker.resume()
    }
    await until(async () => (await on.status()).publishing.state === 'ok')
    await load.stop()
    expect([...load.others]).toEqual([])
    await untilPublished(on)
    expect(await on.connector.terminate()).toBe(0)
    expectOnceEach(on, await on.readAll())
  })
})

describe('a registry that is away at the start', () => {
  it('is not needed where the schema ids are remembered', async () => {
    const on = await begin()
    await on.connector.start()
    await callBack(on, data, 10)
    await untilPublished(on)
    expect(await on.connector.terminate()).toBe(0)

    await stack.registry.stop()
    await on.connector.start()
    expect(answersOf(await callBack(on, data, 10))).toEqual([200])
    await untilPublished(on)
    expect(await on.sum('dlrmo_events_published_total')).toBe(10)
    await stack.registry.start()
    await callBack(on, data, 10)
    await untilPublished(on)
    expect(await on.connector.terminate()).toBe(0)
    const seen = await on.readAll()
    expect(seen).toHaveLength(30)
    expectOnceEach(on, seen)
  })

  it('is waited for where they are not', async () => {
    const on = await begin()
    await stack.registry.stop()
    await on.connector.start()
    expect(answersOf(await callBack(on, data, 10))).toEqual([200])
    await untilWaiting(on, /the schema registry at http.* can't be reached/)
    expect((await on.status()).registry.state).toBe('waiting')
    await stack.registry.start()
    await untilPublished(on)
    expect((await on.status()).registry.state).toBe('ok')
    expect(await on.connector.terminate()).toBe(0)
    expectOnceEach(on, await on.readAll())
  })
})

describe('what refuses us', () => {
  const check = (on: Trial) => runProgram(['check', '--config', 'connector.yaml'], { cwd: on.folder })

  it('a subject with an incompatible schema stops publishing, never intake, until it is mended', async () => {
    const on = await begin()
    const subject = `${on.topics.dlr}-value`
    const registry = async (path: string, method: string, body?: object): Promise<unknown> => {
      const response = await fetch(`${stack.registryUrl}${path}`, {
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

    const { code, stdout } = await check(on)
    expect(code).toBe(2)
    expect(stdout).toMatch(new RegExp(`FAILED +schema ${subject} .*FULL_TRANSITIVE.*eventId`))

    await on.connector.start()
    on.mtarget.enqueue(data.mtargetMix(100))
    expect(answersOf(await callBack(on, data, 100))).toEqual([200])
    await untilPulled(on)
    await untilWaiting(on, new RegExp(`${subject}.*FULL_TRANSITIVE.*eventId`))
    expect(await on.metric('dlrmo_publishing')).toBe(0)
    expect(await isReady(on)).toBe(true)
    expect((await on.status()).registry.state).toBe('waiting')
    expect(await registry(`/config/${subject}`, 'GET')).toEqual({ compatibilityLevel: 'FULL_TRANSITIVE' })
    expect(await registry(`/subjects/${subject}/versions`, 'GET')).toEqual([1])

    await registry(`/config/${subject}`, 'PUT', { compatibility: 'NONE' })
    await untilPublished(on)
    expect(await on.metric('dlrmo_publishing')).toBe(1)
    expect(await registry(`/config/${subject}`, 'GET')).toEqual({ compatibilityLevel: 'NONE' })
    expect((await check(on)).code).toBe(0)
    expect(await on.connector.terminate()).toBe(0)
    const seen = await on.readAll()
    expect(seen).toHaveLength(200)
    expectOnceEach(on, seen)
  })

  it('topics that are missing stop publishing, never intake, until somebody makes them', async () => {
    const on = await begin(({ kafka }) => delete kafka['createTopics'])
    const { code, stdout } = await check(on)
    expect(code).toBe(3)
    for (const topic of Object.values(on.topics) as string[])
      expect(stdout).toMatch(`no topic `) && expect(stdout).toMatch(topic)

    await on.connector.start()
    on.mtarget.enqueue(data.mtargetMix(100))
    expect(answersOf(await callBack(on, data, 100))).toEqual([200])
    await untilPulled(on)
    await untilWaiting(on, new RegExp(`no topic ${on.topics.dlr}, ${on.topics.mo}, ${on.topics.deadLetter}.*create`))
    await withAdmin(stack.brokers, (admin) =>
      admin.createTopics({
        topics: (Object.values(on.topics) as string[]).map((topic) => ({ topic, numPartitions: 2 })),
      }),
    )
    await untilPublished(on)
    expect((await check(on)).code).toBe(0)
    expect(await on.connector.terminate()).toBe(0)
    const seen = await on.readAll()
    expect(seen).toHaveLength(200)
    expectOnceEach(on, seen)
  })
})

describe('a full journal', () => {
  it('refuses callbacks with 503 and pulls no more, and both begin again when Kafka is back', async () => {
    const on = await begin(({ journal, sources }) => {
      journal['maxBytes'] = '2MiB'
      sources['mtarget-fr'].pull['maxAnswer'] = '256KiB'
    })
    await stack.broker.kill()
    await on.connector.start()
    const fill = async (): Promise<boolean> => {
      on.mtarget.enqueue(data.mtargetMix(100))
      return (await callBack(on, data, 100)).some(({ status }) => status === 503)
    }
    await until(fill, 60_000)
    const refused = await call(`${on.callbackUrl}?msg_id=refused&status=DELIVERED`)
    expect(refused.status).toBe(503)
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect(await call(`${on.adminUrl}/readyz`)).toMatchObject({
      status: 503,
      body: expect.stringMatching(/maxBytes/) as string,
    })
    await until(async () => (await on.status()).sources[0]?.pull?.state === 'journal-full')
    const asked = on.mtarget.answers.length
    on.mtarget.enqueue(data.mtargetMix(50))
    expect(answersOf(await callBack(on, data, 50))).toEqual([503])
    expect(on.mtarget.answers).toHaveLength(asked)

    await stack.broker.restart()
    await untilPublished(on)
    expect(await isReady(on)).toBe(true)
    expect(answersOf(await callBack(on, data, 50))).toEqual([200])
    await untilPublished(on)
    expect(await on.connector.terminate()).toBe(0)
    expectOnceEach(on, await on.readAll())
    const said = (await on.log()).map(({ msg }) => msg)
    expect(said.filter((msg) => msg.startsWith('callbacks are'))).toEqual([
      'callbacks are refused with 503: the journal takes nothing',
      'callbacks are taken again',
    ])
  })
})
