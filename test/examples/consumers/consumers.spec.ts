/** Each example of a consumer prints what the connector published, whatever the language. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest'
import { listProblems } from '../../../dev/oracle/oracle.js'
import { findJava } from '../../../dev/stack/jvm/java.js'
import type { TopicRecord } from '../../../dev/oracle/topic-reader.js'
import type { Trial } from '../../../dev/trial.js'
import { environmentOf, EXAMPLES, runExample, SCHEMAS, type Command } from './support/example.js'
import {
  expectedLines,
  FUTURE_STATUS_ID,
  OTHER_SOURCE,
  publishDeadLetterPart,
  publishRecords,
  readRecords,
  UNLISTED_STATUS_ID,
  type PrintedRecord,
  type PublishedRecord,
} from './support/published-records.js'
import {
  classPathOfJavaExamples,
  cloudEventsExample,
  programOfGoExample,
  pythonOfExamples,
} from './support/tool-chains.js'

let trial: Trial
let records: readonly PublishedRecord[]
let expected: readonly PrintedRecord[]

beforeAll(async () => {
  trial = await publishRecords({ brokers: inject('brokers'), registryUrl: inject('registryUrl') })
  await readExpected()
})
afterAll(() => trial?.stop())

async function readExpected(): Promise<void> {
  records = await readRecords(trial)
  expected = await expectedLines(trial, records)
}

describe('The records of the test', () => {
  it('are what the providers handed out, of several schema versions, with a joined dead letter and unknown statuses', () => {
    expectWhatWasHandedOut(expected)
    const schemaIds = new Set(records.map(({ topic, value }) => `${topic} ${value.readUInt32BE(1)}`))
    expect(schemaIds.size).toBe(7)
    expect(expected.filter(({ value }) => Number(value['parts']) > 1).map(({ value }) => value['parts'])).toEqual([3])
    const receiptOf = (messageId: string): unknown => expected.find(({ value }) => value['messageId'] === messageId)
    expect(receiptOf(UNLISTED_STATUS_ID)).toMatchObject({ outcome: 'pending', value: { status: 'UNKNOWN' } })
    expect(receiptOf(FUTURE_STATUS_ID)).toMatchObject({
      outcome: 'ended',
      value: { status: 'UNKNOWN', providerStatus: 'READ' },
    })
    expect(Math.max(...expected.map(({ value }) => String(value['text']).length))).toBeGreaterThan(4_000)
    expect(new Set(expected.map(({ value }) => value['provider']))).toEqual(new Set(['mtarget', 'seven']))
    expect(new Set(expected.map(({ outcome }) => outcome))).toEqual(
      new Set([undefined, 'delivered', 'failed', 'ended', 'pending']),
    )
  })
})

describe('The example in TypeScript', () => {
  it('prints each record, as the page of the examples says', async () => {
    await expectPrintsEachRecord('typescript', {
      command: process.execPath,
      args: ['--import', 'tsx', `${EXAMPLES}/typescript/main.ts`],
    })
  })
})

describe('The example in Python', () => {
  it('prints each record, as the page of the examples says', async () => {
    const command = await pythonOfExamples()
    await expectPrintsEachRecord('python', { command, args: ['-B', `${EXAMPLES}/python/main.py`] })
  })
})

describe('The example in Go', () => {
  it('prints each record, as the page of the examples says', async () => {
    const command = await programOfGoExample()
    await expectPrintsEachRecord('go', { command, args: [], env: { SCHEMAS } })
  })
})

describe('The examples in Java', () => {
  it('print each record by a consumer of kafka-clients, as the page of the examples says', async () => {
    await expectPrintsEachRecord('java', await javaCommand('example.PrintRecords'))
  })

  it('print each record by Kafka Streams, as the page of the examples says', async () => {
    const stateFolder = await mkdtemp(join(tmpdir(), 'dlrmo-streams-'))
    onTestFinished(() => rm(stateFolder, { recursive: true, force: true }))
    const command = await javaCommand('example.StreamRecords')
    await expectPrintsEachRecord('streams', { ...command, env: { STATE_DIR: stateFolder } })
  })
})

describe('kcat', () => {
  it('shows the key and the headers of each record', async () => {
    const command = `${EXAMPLES}/kcat/read.sh`
    const lines = await runExample({ command, args: [], env: environmentOf(trial, 'kcat') }, records.length)
    const shown = lines.map((line) => {
      const [topic = '', partition, offset, timestamp, key, headers = '', size] = line.split('\t')
      const named = Object.fromEntries(headers.split(',').map((header) => header.split('=', 2) as [string, string]))
      const place = { topic, partition: Number(partition), offset: Number(offset), timestamp: Number(timestamp) }
      return { ...place, key, headers: named, size: Number(size) }
    })
    const existing = records.map(({ value, ...record }) => ({ ...record, size: value.length }))
    expect(sortByPlace(shown)).toEqual(sortByPlace(existing))
  })
})

describe('The headers of the records', () => {
  it('are read by the CloudEvents SDK of JavaScript', async () => {
    const script = join(await cloudEventsExample(), 'read.mjs')
    await expectReadsEachEvent('cloudevents-javascript', { command: process.execPath, args: [script] })
  })

  it.each([['core'], ['v1']])('are read by the CloudEvents SDK of Python, with its interface %s', async (version) => {
    const args = [`${EXAMPLES}/cloudevents/read.py`, ...(version === 'v1' ? [version] : [])]
    await expectReadsEachEvent(`cloudevents-python-${version}`, { command: await pythonOfExamples(), args })
  })

  it('are read by the CloudEvents SDK of Java', async () => {
    await expectReadsEachEvent('cloudevents-java', await javaCommand('example.PrintCloudEvents'))
  })
})

/** Compares every attribute, and all bytes of the data, with what is on the topics. */
async function expectReadsEachEvent(name: string, command: Command): Promise<void> {
  const lines = await runExample({ ...command, env: environmentOf(trial, name) }, records.length)
  const read = lines.map((line) => JSON.parse(line) as { readonly id: string })
  const existing = records.map(({ headers, timestamp, value }) => ({
    specversion: '1.0',
    id: headers['ce_id']!,
    source: headers['ce_source'],
    type: headers['ce_type'],
    time: timestamp,
    datacontenttype: 'application/avro',
    data: value.toString('base64'),
  }))
  const byId = (one: { readonly id: string }, other: { readonly id: string }): number => (one.id < other.id ? -1 : 1)
  expect(read.sort(byId)).toEqual(existing.sort(byId))
}

async function javaCommand(mainClass: string): Promise<Command> {
  const java = await findJava()
  if ('missing' in java) throw new Error(java.missing)
  const options = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn']
  return { command: java.command, args: [...options, '-cp', await classPathOfJavaExamples(), mainClass] }
}

/**
 * Compares every field of every line with what the oracle and the decoder of the tests say. The example is stopped while the first part of
 * a dead letter waits for the second, and must go on where it stopped.
 */
async function expectPrintsEachRecord(language: string, command: Command): Promise<void> {
  const withEnvironment = { ...command, env: { ...command.env, ...environmentOf(trial, language) } }
  const eventId = `letter-of-${language}`
  await publishDeadLetterPart(trial, eventId, 0)
  const lines = await runExample(withEnvironment, expected.length)
  const printed = lines.map((line) => JSON.parse(line) as PrintedRecord)
  expect(sortByPlace(printed)).toEqual(sortByPlace(expected))
  expectWhatWasHandedOut(printed)

  await publishDeadLetterPart(trial, eventId, 1)
  await readExpected()
  const [later, ...more] = await runExample(withEnvironment, 1)
  expect(more).toEqual([])
  const letter = expected.find(({ value }) => value['eventId'] === eventId)
  expect(letter?.value['body']).toBe(Buffer.from('body of part 0. body of part 1. ').toString('base64'))
  expect(JSON.parse(later!)).toEqual(letter)
}

/** The oracle knows nothing of the product's code, and nothing of the records that no simulator of a provider handed out. */
function expectWhatWasHandedOut(printed: readonly PrintedRecord[]): void {
  const isKnown = ({ value }: PrintedRecord): boolean =>
    value['source'] !== OTHER_SOURCE && value['messageId'] !== UNLISTED_STATUS_ID
  expect(listProblems(trial.audit(printed.filter(isKnown).map(toTopicRecord)))).toEqual([])
}

const toTopicRecord = ({ topic, partition, key, headers, value }: PrintedRecord): TopicRecord => {
  const { body } = value
  const bytes = typeof body === 'string' ? { body: Buffer.from(body, 'base64') } : {}
  return { topic, partition, key, headers, value: { ...value, ...bytes } }
}

type Place = Pick<PrintedRecord, 'topic' | 'partition' | 'offset'>

const sortByPlace = <T extends Place>(printed: readonly T[]): T[] =>
  [...printed].sort(
    (one, other) =>
      one.topic.localeCompare(other.topic) || one.partition - other.partition || one.offset - other.offset,
  )
