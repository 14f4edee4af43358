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
  publishRecords,
  readRecords,
  UNLISTED_STATUS_ID,
  type PrintedRecord,
  type PublishedRecord,
} from './support/published-records.js'
import { classPathOfJavaExamples, programOfGoExample, pythonOfExample } from './support/tool-chains.js'

let trial: Trial
let records: readonly PublishedRecord[]
let expected: readonly PrintedRecord[]

beforeAll(async () => {
  trial = await publishRecords({ brokers: inject('brokers'), registryUrl: inject('registryUrl') })
  records = await readRecords(trial)
  expected = await expectedLines(trial, records)
})
afterAll(() => trial?.stop())

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
    const command = await pythonOfExample()
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

async function javaCommand(mainClass: string): Promise<Command> {
  const java = await findJava()
  if ('missing' in java) throw new Error(java.missing)
  const options = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn']
  return { command: java.command, args: [...options, '-cp', await classPathOfJavaExamples(), mainClass] }
}

/** Compares every field of every line with what the oracle and the decoder of the tests say. */
async function expectPrintsEachRecord(language: string, command: Command): Promise<void> {
  const env = environmentOf(trial, language)
  const lines = await runExample({ ...command, env: { ...command.env, ...env } }, expected.length)
  const printed = lines.map((line) => JSON.parse(line) as PrintedRecord)
  expect(sortByPlace(printed)).toEqual(sortByPlace(expected))
  expectWhatWasHandedOut(printed)
}

/** The oracle knows nothing of the product's code. It is not told of the two receipts with statuses that the providers don't have. */
function expectWhatWasHandedOut(printed: readonly PrintedRecord[]): void {
  const unknown: unknown[] = [UNLISTED_STATUS_ID, FUTURE_STATUS_ID]
  const handedOut = printed.filter(({ value }) => !unknown.includes(value['messageId'])).map(toTopicRecord)
  expect(listProblems(trial.audit(handedOut))).toEqual([])
}

const toTopicRecord = ({ topic, partition, key, headers, value }: PrintedRecord): TopicRecord => {
  const { body } = value
  const bytes = typeof body === 'string' ? { body: Buffer.from(body, 'base64') } : {}
  return { topic, partition, key, headers, value: { ...value, ...bytes } }
}

const sortByPlace = (printed: readonly PrintedRecord[]): PrintedRecord[] =>
  [...printed].sort(
    (one, other) =>
      one.topic.localeCompare(other.topic) || one.partition - other.partition || one.offset - other.offset,
  )
