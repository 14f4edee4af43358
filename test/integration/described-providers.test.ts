/** A provider that is described in a file, with a real broker and registry. */
import { createHmac } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, inject, it } from 'vitest'
import { startTrial, type Trial } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'
import { descriptionOf, MESSAGE, RECEIPT } from '../providers/described/support.js'
import { type SnsFields, SnsTopic, TOPIC_ARN } from '../support/sns-topic.js'

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }

let trial: Trial
let directory: string
let queue: Server | undefined
afterEach(async () => {
  await trial?.stop()
  queue?.close()
  queue?.closeAllConnections()
  rmSync(directory, { recursive: true, force: true })
})

it('Callbacks of described providers become records, once each, and what is none of their items a dead letter', async () => {
  directory = mkdtempSync(join(tmpdir(), 'dlrmo-providers-'))
  writeFileSync(join(directory, 'example.yaml'), descriptionOf(MESSAGE, RECEIPT))
  trial = await startTrial(stack, (configuration) => {
    configuration.providers = { directory }
    configuration.sources['own'] = { provider: 'example', callback: { open: true } }
    configuration.sources['twilio-main'] = { provider: 'twilio', callback: { open: true } }
    const signing = { signingKey: 'auth-token', publicUrl: 'https://sms.example.com' }
    configuration.sources['twilio-signed'] = { provider: 'twilio', callback: signing }
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
  const form = { MessageSid: 'SM2', MessageStatus: 'sent', To: '+33612345678' }
  const message = 'https://sms.example.com/callbacks/twilio-signedMessageSidSM2MessageStatussentTo+33612345678'
  const callSigned = async (key: string): Promise<number> => {
    const headers = { 'x-twilio-signature': createHmac('sha1', key).update(message).digest('base64') }
    const body = new URLSearchParams(form)
    return (await fetch(`${origin}/callbacks/twilio-signed`, { method: 'POST', body, headers })).status
  }
  expect([await callSigned('another key'), await post('twilio-signed', form)]).toEqual([401, 401])
  expect(await callSigned('auth-token')).toBe(200)
  const toJasmin = await fetch(`${origin}/callbacks/gateway?id=9&message_status=DELIVRD`)
  expect([toJasmin.status, await toJasmin.text()]).toEqual([200, 'ACK/Jasmin'])
  await until(() => reader.records.length >= 6)
  await trial.connector.terminate()

  const records = await trial.readAll()
  const found = records.map(({ topic, value }) => [topic, value['source'], value['messageId'] ?? value['reason']])
  expect(found.toSorted()).toEqual(
    [
      [trial.topics.dlr, 'twilio-main', 'SM1'],
      [trial.topics.dlr, 'own', '1'],
      [trial.topics.dlr, 'gateway', '9'],
      [trial.topics.dlr, 'twilio-signed', 'SM2'],
      [trial.topics.mo, 'own', undefined],
      [trial.topics.deadLetter, 'own', 'missing-id'],
    ].toSorted(),
  )
  const [fromTwilio] = records.filter(({ value }) => value['source'] === 'twilio-main')
  expect(fromTwilio?.value).toMatchObject({ provider: 'twilio', status: 'DELIVERED', recipient: '+33612345678' })
})

it('A queue that is described is emptied under kill -9, and only the page on the wire at a kill can be missing', async () => {
  const ROWS = 3_000
  const waiting = Array.from({ length: ROWS }, (_, index) => ({
    messageId: `m-${index}`,
    to: '41793026727',
    doneAt: '2026-01-01T10:00:00.000+0000',
    status: { groupName: 'DELIVERED' },
  }))
  const pages: string[][] = []
  let authorization: string | undefined
  queue = createServer((req, res) => {
    authorization = req.headers.authorization
    const limit = Number(new URL(req.url!, 'http://x').searchParams.get('limit'))
    const results = waiting.splice(0, limit)
    if (results.length > 0) pages.push(results.map(({ messageId }) => messageId))
    res.setHeader('content-type', 'application/json').end(JSON.stringify({ results }))
  })
  await new Promise<void>((resolve) => queue!.listen(0, '127.0.0.1', resolve))
  const { port } = queue.address() as AddressInfo
  trial = await startTrial(stack, (configuration) => {
    const pull = { url: `http://127.0.0.1:${port}/sms/1/reports`, password: 'api-key', idleDelay: '200ms' }
    configuration.sources['reports'] = {
      provider: 'infobip',
      pull: { ...pull, limit: { min: 20, start: 20, max: 50 } },
    }
  })
  const lost = new Set<string>()
  for (let kills = 1; kills <= 3; kills++) {
    await trial.connector.start()
    await until(() => pages.length >= kills * 12 || waiting.length === 0)
    await trial.connector.kill()
    // The answer of the last request may not have reached the process.
    for (const messageId of pages.at(-1) ?? []) lost.add(messageId)
  }
  await trial.connector.start()
  await until(() => waiting.length === 0)
  await until(async () => (await trial.status()).journal.entries === 0)
  await trial.connector.terminate()

  expect(authorization).toBe('App api-key')
  const published = (await trial.readAll())
    .filter(({ value }) => value['source'] === 'reports')
    .map(({ value }) => String(value['messageId']))
  expect(new Set(published).size).toBe(published.length)
  const missing = pages.flat().filter((messageId) => !published.includes(messageId) && !lost.has(messageId))
  expect(missing).toEqual([])
  expect(published.length).toBeGreaterThan(ROWS - 200)
})

it('A queue is asked as its description says after a reload, also if no key of its source has changed', async () => {
  directory = mkdtempSync(join(tmpdir(), 'dlrmo-providers-'))
  const describeQueue = (header: string): void => {
    const pull = `pull: { limitParameter: size, credentials: { header: ${header} }, rows: "items[]" }`
    writeFileSync(join(directory, 'example.yaml'), `${descriptionOf(`${RECEIPT}\nrows: "items[]"`)}\n${pull}`)
  }
  describeQueue('x-key')
  const asked: string[] = []
  queue = createServer((req, res) => {
    asked.push(...Object.keys(req.headers).filter((name) => req.headers[name] === 'api-key'))
    res.setHeader('content-type', 'application/json').end('{"items":[]}')
  })
  await new Promise<void>((resolve) => queue!.listen(0, '127.0.0.1', resolve))
  const { port } = queue.address() as AddressInfo
  trial = await startTrial(stack, (configuration) => {
    configuration.providers = { directory }
    const account = { url: `http://127.0.0.1:${port}/queue`, password: 'api-key', idleDelay: '100ms' }
    configuration.sources['queue'] = { provider: 'example', pull: account }
  })
  await trial.connector.start()
  await until(() => asked.includes('x-key'))
  describeQueue('x-other')
  await until(() => asked.includes('x-other'), 30_000)
  const since = asked.indexOf('x-other')
  await until(() => asked.length > since + 5)
  expect(asked.slice(since)).not.toContain('x-key')
})

it('Callbacks by Amazon SNS become records once their subscription is confirmed, and forged ones nothing', async () => {
  directory = mkdtempSync(join(tmpdir(), 'dlrmo-providers-'))
  const topic = await SnsTopic.start()
  const authority = join(directory, 'authority.crt')
  try {
    writeFileSync(authority, topic.authority.ca)
    const shipped = readFileSync(join(import.meta.dirname, '../../config/providers/aws-sns.yaml'), 'utf8')
    const description = shipped.replace('sns: {}', `sns: { host: ${topic.host} }`)
    writeFileSync(join(directory, 'aws-sns.yaml'), description)
    trial = await startTrial(stack, (configuration) => {
      configuration.providers = { directory }
      configuration.sources['aws'] = { provider: 'aws-sns', callback: { topicArns: [TOPIC_ARN] } }
    })
    await trial.connector.start({ env: { NODE_EXTRA_CA_CERTS: authority } })
    const reader = await trial.follow()
    const url = `${new URL(trial.callbackUrl).origin}/callbacks/aws`
    const post = async (message: SnsFields): Promise<number> => {
      const headers = { 'content-type': 'text/plain; charset=UTF-8', 'x-amz-sns-message-type': message['Type'] ?? '' }
      return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(message) })).status
    }
    expect(await post(topic.confirmation('SubscriptionConfirmation', Date.now()))).toBe(200)
    const event = {
      eventType: 'TEXT_DELIVERED',
      isFinal: true,
      messageId: 'm-1',
      destinationPhoneNumber: '+14255550156',
    }
    const message = topic.notification(JSON.stringify(event), Date.now())
    expect(await post({ ...message, Message: JSON.stringify({ ...event, messageId: 'forged' }) })).toBe(401)
    expect([await post(message), await post(message)]).toEqual([200, 200])
    await until(() => reader.records.length >= 1)
    await trial.connector.terminate()
    const found = (await trial.readAll()).map(({ topic: name, value }) => [name, value['messageId'], value['status']])
    expect(found).toEqual([[trial.topics.dlr, 'm-1', 'DELIVERED']])
    expect(topic.requests).toEqual([
      '/SimpleNotificationService-1.pem',
      `/?Action=ConfirmSubscription&TopicArn=${TOPIC_ARN}&Token=2336412f37fb687f5d51e6e2425f004ae`,
    ])
  } finally {
    await topic.stop()
  }
})
