/** What `check` tells about rights, ports, the journal and providers. The broker has access control lists. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import { runCommand } from '../../dev/connector/command.js'
import { mountError, SmallDisk } from '../../dev/fault-injection/small-disk.js'
import { freePort } from '../../dev/ports.js'
import { withAdmin } from '../../dev/kafka/topics.js'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { SevenSimulator } from '../../dev/simulators/seven.js'
import { findJava } from '../../dev/stack/jvm/java.js'
import { startTrial, untilPublished, type Trial, type TrialConfiguration } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'
import { expectEachItemOnce, sendReceipts } from '../support/trial-assertions.js'
import { PASSWORD, type Right, type SecureBroker, startSecureBroker, USER } from '../chart/support/secure-broker.js'

const shared = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }

interface Check {
  readonly name: string
  readonly ok: boolean
  readonly state: string
  readonly detail: string
  readonly warnings: readonly string[]
}

let trial: Trial
afterEach(() => trial?.stop())

async function check(): Promise<{ code: number | undefined; found: (name: string) => Check | undefined }> {
  const { code, stdout } = await runCommand(['check', '--json', '--config', 'connector.yaml'], { cwd: trial.folder })
  const { checks } = JSON.parse(stdout) as { checks: Check[] }
  return { code, found: (name) => checks.find((each) => each.name === name) }
}

async function occupyPort(): Promise<Server> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return server
}

describe('The command check, of ports, journal and providers', () => {
  it('warns that the credentials of a queue are not tested, and takes nothing from the queue', async () => {
    trial = await startTrial(shared)
    const { code, found } = await check()
    expect(code).toBe(0)
    expect(found('callbacks port')?.ok).toBe(true)
    expect(found('pull mtarget-fr')).toMatchObject({
      ok: true,
      warnings: [expect.stringMatching(/sources.mtarget-fr.pull.username and password are not tested/)],
    })
    expect(trial.mtarget.answers).toEqual([])
  })

  it.each(['callbacks', 'admin'] as const)('ends with 2 and the key if the %s port is in use', async (section) => {
    const occupied = await occupyPort()
    const { port } = occupied.address() as AddressInfo
    trial = await startTrial(shared, (configuration) => (configuration[section]['port'] = port))
    const { code, found } = await check()
    expect(code).toBe(2)
    expect(found(`${section} port`)).toMatchObject({
      ok: false,
      detail: `${section}.port: can't listen on 127.0.0.1:${port}: it is in use, maybe by another connector`,
    })
  })

  it('ends with 3 and both settings if a topic takes only small batches, and if more replicas are created than there are brokers', async () => {
    trial = await startTrial(shared, ({ kafka }) => {
      kafka['maxBatchBytes'] = '2MiB'
    })
    await trial.connector.start()
    await until(async () => (await trial.status()).publishing.state === 'ok')
    expect(await trial.connector.terminate()).toBe(0)
    const { code, found } = await check()
    expect(code).toBe(3)
    expect(found('topic limits')?.detail).toMatch(
      /topic \S+\.dlr takes batches of at most \d+ bytes \(max\.message\.bytes\), and kafka\.maxBatchBytes is 2097152/,
    )

    await trial.configure(({ kafka }) => {
      delete kafka['maxBatchBytes']
      kafka['topics'] = { dlr: `${trial.name}.other` }
      kafka['createTopics'] = { partitions: 1, replicationFactor: 3 }
    })
    const again = await check()
    expect(again.code).toBe(3)
    expect(again.found('kafka')?.detail).toMatch(/INVALID_REPLICATION_FACTOR.*kafka\.createTopics\.replicationFactor/)
  })

  it('ends with 4 beside the running connector and names its process, and the connector goes on', async () => {
    trial = await startTrial(shared)
    await trial.connector.start()
    await sendReceipts(trial, new ProviderData(21), 20)
    await untilPublished(trial)
    const { code, found } = await check()
    expect(code).toBe(4)
    expect(found('journal')?.detail).toContain(`(process id ${trial.connector.pid} on host ${hostname()})`)
    expect(found('journal')).toMatchObject({ ok: false, state: 'in-use' })
    expect(found('admin port')).toMatchObject({ ok: true, state: 'not-checked', detail: 'not tested' })
    const { stdout } = await runCommand(['check', '--config', 'connector.yaml'], { cwd: trial.folder })
    expect(stdout).toMatch(/^in use +journal .*nothing is wrong$/m)
    expect(stdout).not.toMatch(/^FAILED/m)
    // A producer that check had fenced, or a transaction that it had disturbed, would end the connector with 4 now.
    await sendReceipts(trial, new ProviderData(22), 20)
    await untilPublished(trial)
    expect(await trial.connector.terminate()).toBe(0)
    expectEachItemOnce(trial, await trial.readAll())
    expect((await check()).code).toBe(0)
  })

  it('ends with 1 if run could not open the journal, and leaves its file as it is', async () => {
    trial = await startTrial(shared)
    const folder = join(trial.folder, 'journal', 'lmdb')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'data.mdb'), 'not a database')
    const { code, found } = await check()
    expect(code).toBe(1)
    expect(found('journal')?.detail).toMatch(/can't be opened: .*data.mdb is damaged.*; see journal.directory/)
    expect(await readFile(join(folder, 'data.mdb'), 'utf8')).toBe('not a database')
  })

  it.skipIf(mountError !== null)(
    'ends with 1 if the disk has no room for a new journal, and so does run, with what to do',
    async () => {
      const disk = new SmallDisk(4 * 1024 * 1024)
      onTestFinished(() => disk.unmount())
      trial = await startTrial(shared, ({ journal }) => (journal['directory'] = join(disk.path, 'journal')))
      disk.fill()
      const reason = /has 0 bytes free, and a new journal needs \d+/
      const { code, found } = await check()
      expect(code).toBe(1)
      expect(found('journal')).toMatchObject({ ok: false, detail: expect.stringMatching(reason) as string })
      const run = await runCommand(['run', '--config', 'connector.yaml'], { cwd: trial.folder })
      expect(run.code).toBe(1)
      expect(run.stderr).toMatch(reason)
      expect(run.stderr).toContain('free space on this disk, or enlarge it, and start again')
      disk.makeRoom()
      expect(await check()).toMatchObject({ code: 0 })
    },
  )

  it('ends with 3 if the server of a queue can not be reached', async () => {
    const port = await freePort()
    trial = await startTrial(
      shared,
      ({ sources }) => (sources['mtarget-fr'].pull['url'] = `http://127.0.0.1:${port}/n`),
    )
    const { code, found } = await check()
    expect(code).toBe(3)
    expect(found('pull mtarget-fr')?.detail).toMatch(
      /can't be reached: .*ECONNREFUSED.*; see sources.mtarget-fr.pull.url/,
    )
  })

  it.each([
    ['right-key', 0],
    ['wrong-key', 3],
  ])('tests the API key of a reconciled source: %s ends with %i', async (apiKey, expected) => {
    const seven = await SevenSimulator.start({ apiKey: 'right-key' })
    onTestFinished(() => seven.stop())
    trial = await startTrial(shared, ({ sources }) => {
      Object.assign(sources['seven-main'], { reconcile: { url: seven.url, apiKey } })
    })
    const { code, found } = await check()
    expect(code).toBe(expected)
    const detail = expected === 0 ? /accepts the API key/ : /900.*; see sources.seven-main.reconcile.url and apiKey/
    expect(found('reconcile seven-main')?.detail).toMatch(detail)
  })
})

// A broker with access control lists is run on a JVM.
describe.skipIf('missing' in (await findJava()))('The command check, of rights', () => {
  let broker: SecureBroker
  beforeAll(async () => {
    broker = await startSecureBroker()
  }, 120_000)
  afterAll(() => broker?.stop())

  const topic = (name: string, ...operations: Right['operations']): Right => ({
    resource: { type: 'topic', name, patternType: 'literal' },
    operations,
  })
  const connector = (type: 'group' | 'transactionalId', name: string, ...operations: Right['operations']): Right => ({
    resource: { type, name, patternType: 'prefix' },
    operations,
  })

  const namesOf = ({ topics: { dlr, mo, deadLetter } }: Trial): string[] => [dlr, mo, deadLetter]

  /** Starts a trial whose topics exist, and gives USER the rights. */
  async function begin(
    rights: (trial: Trial) => Right[],
    change: (configuration: TrialConfiguration) => void = () => undefined,
    { hasTopics = true } = {},
  ): Promise<void> {
    trial = await startTrial({ ...shared, brokers: [broker.address] }, (configuration) => {
      const { kafka } = configuration
      delete kafka['createTopics']
      kafka['tls'] = { ca: broker.authority }
      kafka['sasl'] = { mechanism: 'plain', username: USER, password: PASSWORD }
      change(configuration)
    })
    if (hasTopics) {
      const topics = namesOf(trial).map((name) => ({ topic: name, numPartitions: 1 }))
      await withAdmin([broker.backDoor], (admin) => admin.createTopics({ topics }))
    }
    await broker.forbid()
    const granted = rights(trial)
    if (granted.length > 0) await broker.allow(granted)
  }

  const all = ({ name, topics: { dlr, mo, deadLetter } }: Trial): Right[] => [
    topic(dlr, 'Write'),
    topic(mo, 'Write'),
    topic(deadLetter, 'Write', 'Read'),
    connector('transactionalId', `dlr-mo-connector.${name}`, 'Write'),
    connector('group', `dlr-mo-connector.${name}.`, 'Read'),
  ]
  /** All rights but one, by its place in `all`. */
  const without =
    (place: number, ...instead: Right['operations']) =>
    (given: Trial): Right[] =>
      all(given).flatMap((right, index) => {
        if (index !== place) return [right]
        return instead.length === 0 ? [] : [{ ...right, operations: instead }]
      })

  it('ends with 0 if this user has every right, and with none of them on another resource', async () => {
    await begin(all)
    const { code, found } = await check()
    expect(found('rights')).toMatchObject({ ok: true, warnings: [] })
    expect(code).toBe(0)
  })

  it('ends with 3 and names every right that is missing, with Describe on the topics only', async () => {
    await begin((given) => namesOf(given).map((name) => topic(name, 'Describe')))
    const { code, found } = await check()
    expect(code).toBe(3)
    expect(found('kafka')?.ok).toBe(true)
    const { dlr, mo, deadLetter } = trial.topics
    const id = `dlr-mo-connector.${trial.name}`
    expect(found('rights')?.detail).toBe(
      `this user lacks Write on topic ${dlr}, Write on topic ${mo}, Write on topic ${deadLetter}, ` +
        `Read on topic ${deadLetter}, Read on all groups that begin with ${id}., Write on transactional id ${id}; ` +
        'grant these rights with kafka-acls.sh',
    )
  })

  it('ends with 3 and names every right that is missing, with no right on anything', async () => {
    await begin(() => [])
    const { code, found } = await check()
    expect(code).toBe(3)
    expect(found('kafka')?.detail).toMatch(/no right on topics \S+\.dlr, \S+\.mo, \S+\.dead-letter; grant it Write/)
    const { detail = '' } = found('rights') ?? {}
    expect(detail.split(';')[0]?.split(', ')).toHaveLength(6)
    expect(detail).toMatch(/Read on topic \S+, Read on all groups that begin with \S+, Write on transactional id/)
  })

  it('names the rights on groups and on the transactional id that are missing, before the topics exist', async () => {
    await begin(without(4), undefined, { hasTopics: false })
    const { code, found } = await check()
    expect(code).toBe(3)
    expect(found('kafka')?.detail).toMatch(
      /^topics .* do not exist, or this user has no right to see them; create them/,
    )
    expect(found('rights')?.detail).toMatch(/^this user lacks Read on all groups that begin with /)
  })

  const createTopics = ({ kafka }: TrialConfiguration): void =>
    void (kafka['createTopics'] = { partitions: 1, replicationFactor: 1 })

  it('ends with 3 if the topics are to be created and the right Create is missing, and run says the same until it is granted', async () => {
    await begin(all, createTopics, { hasTopics: false })
    const missing = new RegExp(`this user may not create topics ${namesOf(trial).join(', ')}; grant it Create`)
    const { code, found } = await check()
    expect(code).toBe(3)
    expect(found('kafka')).toMatchObject({ ok: false, detail: expect.stringMatching(missing) as string })
    expect(found('replays')?.warnings[0]).toMatch(/dead letters can't be replayed/)

    await trial.connector.start()
    await sendReceipts(trial, new ProviderData(23), 5)
    await until(async () => (await trial.status()).publishing.state === 'waiting')
    expect((await trial.status()).publishing).toMatchObject({
      code: 'KAFKA_REFUSED',
      reason: expect.stringMatching(missing) as string,
    })
    await broker.allow(namesOf(trial).map((name) => topic(name, 'Create')))
    await untilPublished(trial)
    expect(await trial.connector.terminate()).toBe(0)
  })

  it('ends with 0 if the topics are to be created and this user may create them, and creates none', async () => {
    await begin((given) => [...all(given), ...namesOf(given).map((name) => topic(name, 'Create'))], createTopics, {
      hasTopics: false,
    })
    const { code, found } = await check()
    expect(found('kafka')).toMatchObject({ ok: true, detail: expect.stringMatching(/run will create/) as string })
    expect(found('rights')?.warnings).toContain(
      `not tested: the rights on topic ${trial.topics.dlr}, which does not exist yet`,
    )
    expect(code).toBe(0)
    const existing = await withAdmin([broker.backDoor], (admin) => admin.listTopics())
    expect(existing).not.toContain(trial.topics.dlr)
  })

  it.each([
    ['Write on a topic', 0, ['Describe'], /^this user lacks Write on topic \S+\.dlr;/],
    ['Read on the dead-letter topic', 2, ['Write'], /^this user lacks Read on topic \S+\.dead-letter;/],
    ['Write on the transactional id', 3, ['Describe'], /^this user lacks Write on transactional id \S+;/],
    ['every right on the transactional id', 3, [], /^this user lacks Write on transactional id \S+;/],
    ['Read on the groups', 4, ['Describe'], /^this user lacks Read on all groups that begin with \S+;/],
  ] as const)('ends with 3 and names the missing right: %s', async (_right, place, instead, expected) => {
    await begin(without(place, ...instead))
    const { code, found } = await check()
    expect(found('rights')?.detail).toMatch(expected)
    expect(code).toBe(3)
  })

  it('asks for Write on the topics only, with delivery at-least-once', async () => {
    await begin(
      (given) => all(given).slice(0, 2).concat(topic(given.topics.deadLetter, 'Write')),
      ({ kafka }) => (kafka['delivery'] = 'at-least-once'),
    )
    const { code, found } = await check()
    expect(found('rights')?.detail).toMatch(/every right/)
    expect(code).toBe(0)
  })
})
