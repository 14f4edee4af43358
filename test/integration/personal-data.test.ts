/** What records hold of people where the configuration masks it, with a real broker: over restarts, duplicates and replays. */
import { afterEach, describe, expect, inject, it } from 'vitest'
import { runCommand } from '../../dev/connector/command.js'
import type { TopicRecord } from '../../dev/oracle/topic-reader.js'
import { startTrial, untilPublished, type Trial } from '../../dev/trial.js'
import { call } from '../support/call.js'

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
/** A port on which no broker listens. */
const NO_BROKER = '127.0.0.1:1'
const SECRET = 'mo-key-secret-'.repeat(3)
const NUMBER = '+33699000111'
const OTHER_NUMBER = '+33699000222'
const TEXT = 'CANARY text of a person'
const MASKED = { dlr: { raw: 'omitted' }, mo: { raw: 'masked', text: 'masked', keySecret: SECRET } }

let trial: Trial
afterEach(() => trial?.stop())

const sendMessage = async (id: string, sender: string, url = trial.callbackUrl): Promise<void> => {
  const data = { id, sender, system: '+33700000001', text: TEXT, time: '1700000000', message_type: 'SMS' }
  const body = JSON.stringify({ webhook_event: 'sms_mo', webhook_timestamp: '2026-01-01 00:00:00', data })
  const { status } = await call(url, { headers: { 'content-type': 'application/json' }, body })
  expect(status).toBe(200)
}

const run = (...args: string[]) => runCommand([...args, '--config', 'connector.yaml'], { cwd: trial.folder })

const isOf =
  (kind: 'mo' | 'deadLetter') =>
  ({ topic }: TopicRecord): boolean =>
    topic === trial.topics[kind]

describe('A connector that masks what records hold of people', () => {
  it(
    'keeps identity, order and replays, and shows numbers and texts in no key, header, log line or status',
    { timeout: 180_000 },
    async () => {
      trial = await startTrial(stack, (configuration) => (configuration['records'] = MASKED))
      await trial.connector.start()
      await sendMessage('1', NUMBER)
      await sendMessage('2', OTHER_NUMBER)
      await sendMessage('3', NUMBER)
      await untilPublished(trial)
      await trial.connector.terminate()
      // The same items again, by a run that masks nothing: what they are does not depend on what is shown of them.
      await trial.configure((configuration) => delete configuration['records'])
      await trial.connector.start()
      await sendMessage('1', NUMBER)
      await sendMessage('4', NUMBER)
      await untilPublished(trial)
      await trial.connector.terminate()
      await trial.configure((configuration) => (configuration['records'] = MASKED))
      await trial.connector.start()
      await sendMessage('2', OTHER_NUMBER)
      await sendMessage('5', NUMBER)
      await untilPublished(trial)

      const messages = (await trial.readAll()).filter(isOf('mo'))
      const byId = new Map(messages.map((record) => [record.value['messageId'], record]))
      expect(messages).toHaveLength(5)
      const [first, second, third, plain, fifth] = ['1', '2', '3', '4', '5'].map((id) => byId.get(id)!)
      for (const record of [first, second, third, fifth]) {
        expect(String(record!.key)).toMatch(/^[0-9a-f]{32}$/)
        expect(record!.value).toMatchObject({ text: `(${TEXT.length} characters)` })
        const others = Object.entries(record!.value).filter(([name]) => name !== 'sender' && name !== 'recipient')
        const shown = others.map(([, value]) => JSON.stringify(value))
        shown.push(record!.key, JSON.stringify(record!.headers))
        expect(shown.join(' ')).not.toMatch(/33699000|CANARY/)
      }
      expect([third!.key, third!.partition]).toEqual([first!.key, first!.partition])
      expect([fifth!.key, fifth!.partition]).toEqual([first!.key, first!.partition])
      const idsOfNumber = messages.filter(({ key }) => key === first!.key).map(({ value }) => value['messageId'])
      expect(idsOfNumber).toEqual(['1', '3', '5'])
      expect(second!.key).not.toEqual(first!.key)
      expect(String(plain!.key)).toBe(NUMBER)
      expect(plain!.value['text']).toBe(TEXT)

      expect((await run('tail', 'mo', '--key', NUMBER, '--json')).stdout.trim().split('\n')).toHaveLength(4)
      const shown = [
        JSON.stringify(await trial.log()),
        JSON.stringify(await trial.status()),
        (await run('check', '--json')).stdout,
      ]
      for (const text of shown) {
        for (const canary of [NUMBER, OTHER_NUMBER, 'CANARY', SECRET]) expect(text).not.toContain(canary)
      }
      const checked = (await run('check')).stdout
      expect(checked).toContain('messages: raw masked, text masked, key hashed')
    },
  )

  it('publishes a replayed message masked, from a dead letter that holds all of it', { timeout: 180_000 }, async () => {
    const added = 'seven-two'
    trial = await startTrial(stack, (configuration) => {
      configuration['records'] = MASKED
      configuration.kafka['brokers'] = [NO_BROKER]
      configuration.kafka['topics'] = {
        ...(configuration.kafka['topics'] as object),
        deadLetterReplays: `${configuration.instance}.replays`,
      }
      configuration.sources[added] = { provider: 'seven', callback: { token: 't' } }
    })
    await trial.connector.start()
    await sendMessage('1', NUMBER, trial.callbackUrl.replace(/[^/]*\/[^/]*$/, `${added}/t`))
    await trial.connector.kill()
    await trial.configure(({ kafka, sources }) => {
      kafka['brokers'] = [...stack.brokers]
      delete sources[added]
    })
    await trial.connector.start()
    await untilPublished(trial)
    const [letter] = (await trial.readAll()).filter(isOf('deadLetter'))
    expect(letter!.value['reason']).toBe('unknown-source')
    expect(Buffer.from(letter!.value['body'] as Uint8Array).toString()).toContain(TEXT)
    await trial.connector.terminate()
    await trial.configure(({ sources }) => (sources[added] = { provider: 'seven', callback: { token: 't' } }))
    await trial.connector.start()
    expect((await run('dead-letters', 'replay', '--all')).code).toBe(0)
    await untilPublished(trial)
    const [message, ...more] = (await trial.readAll()).filter(isOf('mo'))
    expect(more).toEqual([])
    expect(message!.key).toMatch(/^[0-9a-f]{32}$/)
    expect(message!.value).toMatchObject({ messageId: '1', sender: NUMBER, text: `(${TEXT.length} characters)` })
    // The replay is one item of a source that has its own ids, so the same callback again is a duplicate.
    await sendMessage('1', NUMBER, trial.callbackUrl.replace(/[^/]*\/[^/]*$/, `${added}/t`))
    await untilPublished(trial)
    expect((await trial.readAll()).filter(isOf('mo'))).toHaveLength(1)
  })
})
