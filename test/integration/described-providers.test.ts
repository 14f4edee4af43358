/** A provider that is described in a file, with a real broker and registry. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, inject, it } from 'vitest'
import { startTrial, type Trial } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'
import { descriptionOf, MESSAGE, RECEIPT } from '../providers/described/support.js'

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }

let trial: Trial
let directory: string
afterEach(async () => {
  await trial?.stop()
  rmSync(directory, { recursive: true, force: true })
})

it('Callbacks of described providers become records, once each, and what is none of their items a dead letter', async () => {
  directory = mkdtempSync(join(tmpdir(), 'dlrmo-providers-'))
  writeFileSync(join(directory, 'example.yaml'), descriptionOf(MESSAGE, RECEIPT))
  trial = await startTrial(stack, (configuration) => {
    configuration.providers = { directory }
    configuration.sources['own'] = { provider: 'example', callback: { open: true } }
    configuration.sources['twilio-main'] = { provider: 'twilio', callback: { open: true } }
    configuration.sources['gateway'] = { provider: 'jasmin', callback: { open: true } }
  })
  await trial.connector.start()
  const reader = await trial.follow()
  const origin = new URL(trial.callbackUrl).origin
  const post = async (source: string, form: Record<string, string>): Promise<number> =>
    (await fetch(`${origin}/callbacks/${source}`, { method: 'POST', body: new URLSearchParams(form) })).status
  const receipt = { MessageSid: 'SM1', MessageStatus: 'delivered', To: '+33612345678', From: '+33712345678' }
  expect(await post('twilio-main', receipt)).toBe(200)
  expect(await post('twilio-main', receipt)).toBe(200)
  expect(await post('own', { id: '1', state: 'ok' })).toBe(200)
  expect(await post('own', { from: '33612345678', text: 'hello' })).toBe(200)
  expect(await post('own', { nothing: 'known' })).toBe(200)
  const toJasmin = await fetch(`${origin}/callbacks/gateway?id=9&message_status=DELIVRD`)
  expect([toJasmin.status, await toJasmin.text()]).toEqual([200, 'ACK/Jasmin'])
  await until(() => reader.records.length >= 5)
  await trial.connector.terminate()

  const records = await trial.readAll()
  const found = records.map(({ topic, value }) => [topic, value['source'], value['messageId'] ?? value['reason']])
  expect(found.toSorted()).toEqual(
    [
      [trial.topics.dlr, 'twilio-main', 'SM1'],
      [trial.topics.dlr, 'own', '1'],
      [trial.topics.dlr, 'gateway', '9'],
      [trial.topics.mo, 'own', undefined],
      [trial.topics.deadLetter, 'own', 'missing-id'],
    ].toSorted(),
  )
  const [fromTwilio] = records.filter(({ value }) => value['source'] === 'twilio-main')
  expect(fromTwilio?.value).toMatchObject({ provider: 'twilio', status: 'DELIVERED', recipient: '+33612345678' })
})
