/** `tail` as its users run it, on a real broker with a real registry. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import { MAIN } from '../../dev/connector/program.js'
import { API, type Handling, KafkaProxy } from '../../dev/fault-injection/kafka-proxy.js'
import { withAdmin } from '../../dev/kafka/topics.js'
import { until } from '../../dev/wait.js'
import { type EventKind, loadSchemas, parseSchema } from '../../src/registry/schemas.js'
import { EventTopics, toRecords } from '../support/event-topics.js'
import { deadLetter, message, receipt } from '../support/events.js'

const brokers = inject('brokers')
const registryUrl = inject('registryUrl')
const stack = { brokers, registryUrl }
const schemas = loadSchemas()

const createTopics = async (kinds?: readonly EventKind[]): Promise<EventTopics> => {
  const topics = await EventTopics.create(stack, kinds)
  onTestFinished(() => topics.remove())
  return topics
}

/** Starts `tail` with pipes, so that its output is seen as it comes. */
const startTail = (
  topics: EventTopics,
  ...args: string[]
): ChildProcess & { output: () => string; errors: () => string } => {
  const child = spawn(process.execPath, [MAIN, 'tail', ...args, '--config', 'connector.yaml'], {
    cwd: topics.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  return Object.assign(child, { output: () => output.stdout, errors: () => output.stderr })
}

const exitOf = async (child: ChildProcess): Promise<unknown> => (await once(child, 'exit'))[0]

describe('tail on topics with thousands of records', () => {
  const COUNT = 4_000
  const START = Date.now() - 3_600_000
  let topics: EventTopics

  beforeAll(async () => {
    topics = await EventTopics.create(stack)
    for (let first = 0; first < COUNT; first += 500) {
      const numbers = Array.from({ length: 500 }, (_, index) => first + index)
      const messages = numbers.map((number) =>
        topics.encode(
          receipt({
            eventId: `event-${number}`,
            messageId: `message-${number % 1_000}`,
            source: number % 100 === 0 ? 'rare-source' : 'mtarget-fr',
            status: number % 2 === 0 ? 'DELIVERED' : 'REJECTED',
            receivedAt: START + number * 100,
          }),
          START + number * 100,
        ),
      )
      await topics.publish('dlr', messages)
      await topics.publish(
        'dlr',
        messages.map((each) => ({ ...each, key: 'aborted' })),
        'abort',
      )
    }
  })
  afterAll(() => topics.remove())

  it('shows the last 10, oldest first, without what was aborted', async () => {
    const records = await topics.tail('dlr')
    expect(records.map(({ headers }) => headers['ce_id'])).toEqual(
      Array.from({ length: 10 }, (_, index) => `event-${COUNT - 10 + index}`),
    )
    expect(records[0]).toMatchObject({
      topic: topics.names.dlr,
      partition: expect.any(Number) as number,
      offset: expect.any(Number) as number,
      timestamp: START + (COUNT - 10) * 100,
      key: `message-${990}`,
      schemaId: expect.any(Number) as number,
      schema: 'sms.events.DeliveryReceipt',
      value: { source: 'mtarget-fr', status: 'DELIVERED', recipient: '+336*****678', final: true },
    })
  })

  it('shows every record once from the beginning, in the order of time, and none of an aborted transaction', async () => {
    const records = await topics.tail('dlr', '--from-beginning')
    expect(records.map(({ value }) => value['eventId'])).toEqual(
      Array.from({ length: COUNT }, (_, index) => `event-${index}`),
    )
    const first = await topics.tail('--from-beginning', '--limit', '3')
    expect(first.map(({ value }) => value['eventId'])).toEqual(['event-0', 'event-1', 'event-2'])
  })

  it('shows the last records that match filters, wherever they are', async () => {
    const rare = await topics.tail('dlr', '--source', 'rare-source', '--limit', '3')
    expect(rare.map(({ value }) => value['eventId'])).toEqual(['event-3700', 'event-3800', 'event-3900'])
    const ofKey = await topics.tail('--key', 'message-7', '-n', '100')
    expect(ofKey.map(({ value }) => value['eventId'])).toEqual([7, 1007, 2007, 3007].map((number) => `event-${number}`))
    expect(await topics.tail('--event-id', 'event-42')).toHaveLength(1)
    const rejected = await topics.tail('--status', 'rejected', '--limit', '2')
    expect(rejected.map(({ value }) => value['eventId'])).toEqual(['event-3997', 'event-3999'])
    expect(await topics.tail('--key', 'aborted')).toEqual([])
  })

  it('shows the records since a time, or the last of them', async () => {
    const since = new Date(START + 3_950 * 100).toISOString()
    const expected = Array.from({ length: 50 }, (_, index) => `event-${3_950 + index}`)
    const records = await topics.tail('dlr', '--since', since)
    expect(records.map(({ value }) => value['eventId'])).toEqual(expected)
    const last = await topics.tail('dlr', '--since', since, '--limit', '2')
    expect(last.map(({ value }) => value['eventId'])).toEqual(expected.slice(-2))
    expect(await topics.tail('--since', '1m')).toEqual([])
    expect(await topics.tail('dlr', '--since', '2h')).toHaveLength(COUNT)
  })

  it('ends with 0 when its reader has read enough', async () => {
    const child = startTail(topics, 'dlr', '--from-beginning')
    child.stdout!.once('data', () => child.stdout!.destroy())
    expect(await exitOf(child)).toBe(0)
    expect(child.errors()).toBe('')
  })

  it('leaves no consumer group on the cluster', async () => {
    const groups = await withAdmin(brokers, (admin) => admin.listGroups())
    expect(groups.groups.filter(({ groupId }) => groupId.includes('tail'))).toEqual([])
  })
})

describe('tail', () => {
  it('says that there is nothing on empty topics, and ends with 0', async () => {
    const topics = await createTopics()
    expect(await topics.run('tail')).toEqual({
      code: 0,
      stdout: '',
      stderr: `no record to show on ${Object.values(topics.names).join(', ')}\n`,
    })
    expect(await topics.tail('--from-beginning')).toEqual([])
  })

  it('ends with 3 and names the topic that does not exist', async () => {
    const topics = await createTopics(['dlr'])
    expect(await topics.run('tail', 'dlr')).toMatchObject({ code: 0 })
    const { code, stdout, stderr } = await topics.run('tail')
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
    expect(stderr).toContain(`topics ${topics.names.mo}, ${topics.names['dead-letter']} do not exist`)
    const { code: jsonCode, stdout: json } = await topics.run('tail', 'mo', '--json')
    expect(jsonCode).toBe(3)
    expect(JSON.parse(json)).toMatchObject({ ok: false, error: { code: 'TOPIC_MISSING' } })
  })

  it('ends with 3 and names the address if the broker or the registry can not be reached', async () => {
    const topics = await createTopics()
    await topics.publish('dlr', [topics.encode(receipt())])
    await topics.configure({ brokers: ['127.0.0.1:1'] })
    expect(await topics.run('tail')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('127.0.0.1:1') as string,
    })
    await topics.configure({ registryUrl: 'http://127.0.0.1:1' })
    expect(await topics.run('tail')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('127.0.0.1:1') as string,
    })
  })

  it('shows neither what an open transaction holds nor what follows it, and does not wait for it', async () => {
    const topics = await createTopics()
    await topics.publish('mo', [topics.encode(message({ eventId: 'before' }))])
    await topics.publish('mo', [topics.encode(message({ eventId: 'open' }))], 'open')
    await topics.publish('mo', [topics.encode(message({ eventId: 'behind' }))])
    const records = await topics.tail('mo')
    expect(records.map(({ value }) => value['eventId'])).toEqual(['before'])
  })

  it('follows: shows the last records, then what is published after it started, and ends with 0 by SIGINT', async () => {
    const topics = await createTopics()
    await topics.publish('dlr', [topics.encode(receipt({ eventId: 'stored' }))])
    const child = startTail(topics, '--follow', '--json')
    await until(() => child.output().includes('stored'))
    await topics.publish('mo', [topics.encode(message({ eventId: 'aborted' }))], 'abort')
    await topics.publish('mo', [topics.encode(message({ eventId: 'published' }))])
    await until(() => child.output().includes('published'))
    child.kill('SIGINT')
    expect(await exitOf(child)).toBe(0)
    expect(toRecords(child.output()).map(({ value }) => value['eventId'])).toEqual(['stored', 'published'])
    expect(child.errors()).toBe('')
  })

  it('shows records that it can not decode with the reason, and goes on', async () => {
    const topics = await createTopics()
    const unknown = topics.encode(receipt({ eventId: 'unknown-id' }))
    ;(unknown.value as Buffer).writeUInt32BE(2_000_000_000, 1)
    const messages = [
      unknown,
      { key: 'no-value', value: null },
      { key: 'text', value: 'no Avro' },
      { key: 'short', value: topics.encode(receipt()).value!.slice(0, 9) },
      topics.encode(receipt({ eventId: 'readable' })),
    ].map((each) => ({ ...each, partition: 0 }))
    await topics.publish('dlr', messages)
    const records = await topics.tail('dlr')
    expect(records.map(({ problem }) => problem)).toEqual([
      expect.stringMatching(/no schema with id 2000000000/),
      'the record has no value',
      'the value (7 bytes) is not in the Confluent wire format',
      expect.stringMatching(/does not fit schema sms.events.DeliveryReceipt/),
      undefined,
    ])
    expect(await topics.tail('dlr', '--event-id', 'unknown-id')).toHaveLength(1)
    const { stdout } = await topics.run('tail', 'dlr')
    expect(stdout).toMatch(
      /dlr +mtarget-fr key=ticket-1 can't be decoded: the registry .* has no schema with id 2000000000/,
    )
  })

  it('decodes records of an earlier version of the schema', async () => {
    const topics = await createTopics()
    const text = schemas.dlr.publishedVersions[0]!
    const subject = `${topics.names.dlr}-earlier`
    const registration = await fetch(`${registryUrl}/subjects/${subject}/versions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ schema: text }),
    })
    const { id } = (await registration.json()) as { id: number }
    const record = topics.encode(receipt())
    const header = Buffer.alloc(5)
    header.writeUInt32BE(id, 1)
    const value = Buffer.concat([header, parseSchema(text).toBuffer({ ...receipt() })])
    await topics.publish('dlr', [{ ...record, value }])
    const [shown] = await topics.tail('dlr')
    expect(shown).toMatchObject({ schemaId: id, value: { status: 'DELIVERED' } })
    expect(shown!.value).not.toHaveProperty('network')
  })

  describe('behind a network that fails', () => {
    const createTopicsBehindProxy = async (): Promise<{ topics: EventTopics; proxy: KafkaProxy }> => {
      const topics = await createTopics()
      const proxy = await KafkaProxy.startInFrontOf(brokers[0]!)
      onTestFinished(() => proxy.close())
      await topics.configure({ brokers: [proxy.address], requestTimeout: '1s' })
      return { topics, proxy }
    }

    it.each<Handling>(['cut', 'lose-request', 'lose-answer', 'stall'])(
      'repeats a request whose answer does not come (%s), and shows each record once',
      async (handling) => {
        const { topics, proxy } = await createTopicsBehindProxy()
        const start = Date.now()
        const ids = Array.from({ length: 20 }, (_, number) => `event-${number}`)
        await topics.publish(
          'dlr',
          ids.map((eventId, number) => topics.encode(receipt({ eventId, messageId: eventId }), start + number)),
        )
        for (const api of [API.listOffsets, API.fetch]) {
          const handled = proxy.handleNext(api, handling)
          const records = await topics.tail('dlr', '--from-beginning')
          await handled
          expect(records.map(({ value }) => value['eventId'])).toEqual(ids)
        }
      },
    )

    it('ends with 3 if no answer comes at all', async () => {
      const { topics, proxy } = await createTopicsBehindProxy()
      await topics.publish('dlr', [topics.encode(receipt())])
      proxy.setRule((api) => (api === API.fetch ? 'lose-answer' : 'pass'))
      const { code, stdout, stderr } = await topics.run('tail', 'dlr')
      expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
      expect(stderr).toContain(proxy.address)
    })

    it('follows across an outage: says once that reading fails, and shows what was published meanwhile', async () => {
      const { topics, proxy } = await createTopicsBehindProxy()
      await topics.publish('dlr', [topics.encode(receipt({ eventId: 'stored' }))])
      const child = startTail(topics, 'dlr', '--follow', '--json')
      await until(() => child.output().includes('stored'))
      proxy.setRule(() => 'lose-request')
      await until(() => child.errors().includes('reading from Kafka failed and is repeated'))
      await topics.publish('dlr', [topics.encode(receipt({ eventId: 'meanwhile' }))])
      proxy.setRule(() => 'pass')
      await until(() => child.output().includes('meanwhile'))
      child.kill('SIGTERM')
      expect(await exitOf(child)).toBe(0)
      expect(toRecords(child.output()).map(({ value }) => value['eventId'])).toEqual(['stored', 'meanwhile'])
      expect(child.errors().trimEnd().split('\n')).toHaveLength(1)
    })
  })

  it('masks personal data, unless it is asked for', async () => {
    const topics = await createTopics()
    const body = Buffer.from('MsgId=1&Msisdn=0033612345678&Content=secret+words')
    const request = { method: 'POST', path: '/callbacks/mtarget-fr', query: 'Msisdn=0033612345678' }
    const letter = { ...deadLetter({ body, request }), part: 1, parts: 3 }
    await topics.publish('mo', [topics.encode(message({ sender: '+33612345678', text: 'secret words' }))])
    await topics.publish('dead-letter', [topics.encode(letter)])
    for (const form of [[], ['--json']]) {
      const { stdout } = await topics.run('tail', ...form)
      expect(stdout).not.toMatch(/612345678|secret/)
      expect(stdout).toMatch(/\+336\*\*\*\*\*678/)
    }
    const { stdout } = await topics.run('tail', '--personal-data', 'plain')
    expect(stdout).toMatch(/ mo +seven-main from=\+33612345678 to=\S+ text="secret words" /)
    expect(stdout).toMatch(
      / dead-letter mtarget-fr not-a-page part=2\/3 detail=".*" body="MsgId=1&Msisdn=0033612345678/,
    )
    const [shown] = await topics.tail('dead-letter', '--personal-data', 'plain')
    expect(shown!.value).toMatchObject({ request, body: body.toString('base64'), part: 1, parts: 3 })
  })
})
