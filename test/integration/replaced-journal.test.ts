/** The connector starts with another journal than the one whose position Kafka holds for its instance. */
import { cp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, inject, it } from 'vitest'
import pino from 'pino'
import { runCommand } from '../../dev/connector/command.js'
import type { LogLine } from '../../dev/connector/connector-process.js'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { startTrial, untilPublished, type Trial } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'
import { systemClock } from '../../src/core/clock.js'
import { findOtherJournals } from '../../src/kafka/other-journals.js'
import { call } from '../support/call.js'
import { publisherSettings } from '../support/publisher-settings.js'
import { distinctAnswers, sendReceipts } from '../support/trial-assertions.js'

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
const data = new ProviderData(44)

let trial: Trial
afterEach(() => trial?.stop())

const journalPath = (name = 'journal'): string => join(trial.folder, name)

interface JournalStatus {
  readonly id: string
  readonly warning: string | null
}
const readJournalStatus = async (): Promise<JournalStatus> => {
  const { body } = await call(`${trial.adminUrl}/status.json`)
  return (JSON.parse(body) as { journal: JournalStatus }).journal
}
const warningsInLog = async (): Promise<string[]> =>
  (await trial.log())
    .filter(({ msg }: LogLine) => msg.startsWith('Kafka holds the position of another journal'))
    .map(({ msg }) => msg)

/** Starts the connector, publishes some items, and stops it. @returns the id of the journal */
const publishSome = async (): Promise<string> => {
  await trial.connector.start()
  const { id } = await readJournalStatus()
  expect(distinctAnswers(await sendReceipts(trial, data, 10))).toEqual([200])
  await untilPublished(trial)
  return id
}

describe('A start with another journal', () => {
  it('is reported with both journals and the group while the other one was published later, and not afterwards', async () => {
    trial = await startTrial(stack)
    const first = await publishSome()
    expect(await trial.connector.terminate()).toBe(0)
    expect(await warningsInLog()).toEqual([])

    await rename(journalPath(), journalPath('first'))
    const check = await runCommand(['check', '--config', 'connector.yaml'], { cwd: trial.folder })
    expect(check).toMatchObject({ code: 0 })
    expect(check.stdout).toMatch(
      new RegExp(`^warning +position .*holds no journal.* position of journal ${first} of this`, 'm'),
    )
    await trial.connector.start()
    await until(async () => (await readJournalStatus()).warning !== null)
    const { id: second, warning } = await readJournalStatus()
    expect(second).not.toBe(first)
    expect(warning).toContain(`journal ${first} in group dlr-mo-connector.${trial.name}.${first}`)
    expect(warning).toContain(
      `The journal in ${journalPath()} is another one, ${second}, and has published nothing yet`,
    )
    expect(await warningsInLog()).toEqual([warning])
    expect((await call(`${trial.adminUrl}/`)).body).toContain(first)
    expect((await call(`${trial.adminUrl}/readyz`)).status).toBe(200)
    await sendReceipts(trial, data, 10)
    await untilPublished(trial)
    expect(await trial.connector.terminate()).toBe(0)

    // The new journal has published by now, so the other one is history.
    await publishSome()
    expect(await trial.connector.terminate()).toBe(0)
    expect(await warningsInLog()).toHaveLength(1)

    await rename(journalPath(), journalPath('second'))
    await rename(journalPath('first'), journalPath())
    await trial.connector.start()
    await until(async () => (await readJournalStatus()).warning !== null)
    expect((await readJournalStatus()).warning).toMatch(
      new RegExp(
        `position of another journal .*: journal ${second} .* is another one, ${first}, and was published before that`,
      ),
    )
  })
})

describe('A start with an older copy of the journal', () => {
  it('is reported in the log, in /status.json and on the status page', async () => {
    trial = await startTrial(stack)
    const id = await publishSome()
    expect(await trial.connector.terminate()).toBe(0)
    await cp(journalPath(), journalPath('copy'), { recursive: true })
    await publishSome()
    expect(await trial.connector.terminate()).toBe(0)

    await rm(journalPath(), { recursive: true })
    await rename(journalPath('copy'), journalPath())
    await trial.connector.start()
    await until(async () => (await readJournalStatus()).warning !== null)
    const { warning } = await readJournalStatus()
    expect(warning).toMatch(new RegExp(`^Kafka holds position \\d+ of journal ${id}, .* it is an older copy of itself`))
    const lines = (await trial.log()).filter(({ msg }) => msg === warning)
    expect(lines).toEqual([expect.objectContaining({ level: 'warn', journal: id })])
    expect((await call(`${trial.adminUrl}/`)).body).toContain('it is an older copy of itself')
    expect((await call(`${trial.adminUrl}/readyz`)).status).toBe(200)
  })
})

describe('findOtherJournals', () => {
  const find = (instance: string, journalId = 'own') =>
    findOtherJournals(
      {
        ...publisherSettings(stack.brokers, trial.name),
        instance,
        topics: { ...trial.topics, deadLetterReplays: `${trial.name}.dead-letter-replays` },
      },
      journalId,
      systemClock,
      pino({ level: 'silent' }),
    )

  it('finds the journals of this instance alone, and not the own one', async () => {
    trial = await startTrial(stack, (configuration) => (configuration.instance = `${configuration.instance}.a`))
    const id = await publishSome()
    const instance = `${trial.name}.a`
    const expected = { id, groupId: `dlr-mo-connector.${instance}.${id}`, position: expect.any(Number) as number }
    expect(await find(instance)).toEqual([expected])
    expect(await find(instance, id)).toEqual([])
    expect(await find(trial.name)).toEqual([])
    expect(await find(`${trial.name}.b`)).toEqual([])
  })

  it('rejects if Kafka can not be reached', async () => {
    trial = await startTrial({ ...stack, brokers: ['127.0.0.1:1'] })
    const settings = { ...publisherSettings(['127.0.0.1:1'], trial.name), requestTimeout: 200 }
    const search = findOtherJournals(settings, 'own', systemClock, pino({ level: 'silent' }))
    await expect(search).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' })
  })
})
