/** The directory of the journal is removed while the connector runs. */
import { readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { freePort } from '../../dev/ports.js'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { startTrial, untilPublished, type Trial, type TrialConfiguration } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'
import { call } from '../support/call.js'
import { distinctAnswers, expectEachItemOnce, sendReceipts } from '../support/trial-assertions.js'

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
const data = new ProviderData(43)

let trial: Trial
afterEach(() => trial?.stop())

const begin = async (change?: (configuration: TrialConfiguration) => void): Promise<void> => {
  trial = await startTrial(stack, change)
  await trial.connector.start()
}
const journalOf = ({ folder }: Trial): string => join(folder, 'journal')

/** Asks every page of the admin port several times, over the time in which the disk is looked at again. */
const expectEveryAnswerToTellOfTheRemoval = async (): Promise<void> => {
  const removed = /data file .*data\.mdb was removed while this process runs/
  await until(async () => (await call(`${trial.adminUrl}/readyz`)).status === 503)
  for (let attempt = 0; attempt < 12; attempt++) {
    expect(await call(`${trial.adminUrl}/readyz`)).toMatchObject({
      status: 503,
      body: expect.stringMatching(removed) as string,
    })
    const status = await call(`${trial.adminUrl}/status.json`)
    expect(status.status).toBe(200)
    expect(JSON.parse(status.body)).toMatchObject({
      ready: false,
      journal: { refusal: expect.stringMatching(removed) as string },
    })
    for (const path of ['/', '/metrics', '/livez']) expect((await call(`${trial.adminUrl}${path}`)).status).toBe(200)
    expect(distinctAnswers(await sendReceipts(trial, data, 3))).toEqual([503])
  }
}
/** What the process wrote to standard output and standard error. */
const logOf = async (): Promise<string> => readFile(trial.connector.logFile, 'utf8')
const STACK_TRACE = /^ +at |\\n +at /m

describe('Without its journal directory the connector', () => {
  it('publishes what it held, says on every page what happened, and stops in order', async () => {
    await begin()
    expect(distinctAnswers(await sendReceipts(trial, data, 40))).toEqual([200])
    // The connector writes meanwhile, so a folder may not be empty at the first attempt.
    await rm(journalOf(trial), { recursive: true, maxRetries: 10, retryDelay: 20 })
    await expectEveryAnswerToTellOfTheRemoval()
    await untilPublished(trial)
    expect(await trial.connector.terminate()).toBe(0)
    expect(await logOf()).not.toMatch(STACK_TRACE)
    // Only what was answered with 200 is owed.
    expect(await trial.readAll()).toHaveLength(40)
  })

  it('ends with 1 and one sentence if it could not publish what it held', async () => {
    trial = await startTrial(stack, () => undefined)
    const port = await freePort()
    await trial.configure((configuration) => {
      configuration.kafka['brokers'] = [`127.0.0.1:${port}`]
      configuration.kafka['requestTimeout'] = '500ms'
      configuration.shutdownGrace = '100ms'
    })
    await trial.connector.start()
    expect(distinctAnswers(await sendReceipts(trial, data, 10))).toEqual([200])
    // The connector writes meanwhile, so a folder may not be empty at the first attempt.
    await rm(journalOf(trial), { recursive: true, maxRetries: 10, retryDelay: 20 })
    await expectEveryAnswerToTellOfTheRemoval()
    expect(await trial.connector.terminate()).toBe(1)
    const log = await logOf()
    expect(log).not.toMatch(STACK_TRACE)
    expect(log.match(/^dlr-mo-connector: .*$/gm)).toEqual([
      expect.stringMatching(/10 entries of the journal were not published and are lost, unless .* was removed/),
    ])
  })

  it('takes callbacks again when the directory is back, and loses nothing', async () => {
    await begin()
    await sendReceipts(trial, data, 20)
    await rename(journalOf(trial), `${journalOf(trial)}.moved`)
    await until(async () => (await call(`${trial.adminUrl}/readyz`)).status === 503)
    await rename(`${journalOf(trial)}.moved`, journalOf(trial))
    await until(async () => (await call(`${trial.adminUrl}/readyz`)).status === 200)
    expect(distinctAnswers(await sendReceipts(trial, data, 20))).toEqual([200])
    await untilPublished(trial)
    expect(await trial.connector.terminate()).toBe(0)
    expectEachItemOnce(trial, await trial.readAll())
  })
})
