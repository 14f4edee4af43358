import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import type { TopicRecord } from '../../dev/oracle/topic-reader.js'
import { ProviderData, type SevenInbound, type SevenReceipt } from '../../dev/simulators/provider-data.js'
import { Random } from '../../dev/simulators/random.js'
import { SevenSimulator } from '../../dev/simulators/seven.js'
import type { SevenEvent } from '../../dev/simulators/seven-requests.js'
import { call } from '../support/call.js'
import { berlinTime, inboundRow, outboundRow } from '../../dev/simulators/seven-log.js'
import { startTrial, type Trial } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'

const API_KEY = 'api-key-0123456789'
/** Generous, because the machine may be busy with other tests. */
const TIMEOUT_MS = 120_000
const FINAL = ['DELIVERED', 'NOTDELIVERED', 'EXPIRED', 'REJECTED', 'FAILED'] as const

let simulator: SevenSimulator
let trial: Trial
const data = new ProviderData(4)
const random = new Random(4)

beforeEach(async () => {
  simulator = await SevenSimulator.start({ apiKey: API_KEY })
  trial = await startTrial({ brokers: inject('brokers'), registryUrl: inject('registryUrl') }, ({ sources }) => {
    const times = { after: '1s', every: '500ms', giveUpAfter: '1h', log: { every: '2s', days: 1 } }
    const reconcile = { url: simulator.url, apiKey: API_KEY, requestsPerSecond: 50, ...times }
    Object.assign(sources['seven-main'], { reconcile })
  })
})
afterEach(async () => {
  const log = await readFile(trial.connector.logFile, 'utf8')
  const journal = await readFile(join(trial.folder, 'journal/lmdb/data.mdb'), 'latin1')
  await trial.stop()
  await simulator.stop()
  expect(log.includes(API_KEY) || journal.includes(API_KEY)).toBe(false)
})

const receipts = (count: number): SevenReceipt[] =>
  data.sevenReceipts(count).map(({ msg_id }) => ({ msg_id, status: random.pick(FINAL) }))

const dlr = (receipt: SevenReceipt): SevenEvent => ({ kind: 'dlr', data: receipt })
const mo = (message: SevenInbound): SevenEvent => ({ kind: 'sms_mo', data: message })

/** Adds rows to the provider's message logs, whether or not the connector received the callbacks. */
const addToLogs = (sent: readonly SevenReceipt[], received: readonly SevenInbound[] = []): void => {
  const now = berlinTime(Date.now())
  for (const { msg_id, status } of sent) simulator.outbound.push(outboundRow(msg_id, status, now))
  for (const { id, text } of received) simulator.inbound.push(inboundRow(id, now, text))
}

const keyOf = ({ value: { messageId, providerStatus = 'MO' } }: TopicRecord): string =>
  `${messageId as string} ${providerStatus as string}`
const keysOf = (sent: readonly SevenReceipt[], received: readonly SevenInbound[] = []): string[] => [
  ...sent.map(({ msg_id, status }) => `${msg_id} ${status}`),
  ...received.map(({ id }) => `${id} MO`),
]
const sorted = (keys: readonly string[]): string[] => [...keys].sort()

/** Resolves when all runs of the connector together have published this number of different events. */
const untilPublished = async (count: number): Promise<void> => {
  const reader = await trial.follow()
  await until(() => new Set(reader.records.map(({ headers }) => headers['ce_id'])).size >= count, TIMEOUT_MS)
}

describe('Reconciler after callbacks to a connector that was down', { timeout: 240_000 }, () => {
  it('publishes missed items once with via QUERY, and none that a callback delivered before a kill -9', async () => {
    await trial.connector.start()
    const received = receipts(40)
    const receivedMessages = data.sevenInbound(10)
    const answers = await trial.seven.send([...received.map(dlr), ...receivedMessages.map(mo)], 'json')
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    addToLogs(received, receivedMessages)
    await trial.connector.kill()

    const missed = receipts(300)
    const missedMessages = data.sevenInbound(30)
    addToLogs(missed, missedMessages)
    const lost = await trial.seven.send([...missed.map(dlr), ...missedMessages.map(mo)], 'json')
    expect(new Set(lost.map(({ status }) => status))).toEqual(new Set([undefined]))

    await trial.connector.start()
    await untilPublished(380)
    await trial.connector.kill()
    await trial.connector.start()
    // The second start scans the logs twice, and nothing in them is new.
    const scans = (): number => simulator.requests.filter(({ path }) => path.endsWith('inbound')).length
    const before = scans()
    await until(() => scans() >= before + 2, TIMEOUT_MS)
    expect(await trial.metric('dlrmo_journal_entries')).toBe(0)
    expect(await trial.connector.terminate()).toBe(0)

    const seen = await trial.readAll()
    const all = keysOf([...received, ...missed], [...receivedMessages, ...missedMessages])
    expect(sorted(seen.map(keyOf))).toEqual(sorted(all))
    const byQuery = seen.filter(({ value }) => value['via'] === 'QUERY').map(keyOf)
    // What was journaled before the kill is published with its own `via`. No callback is published a second time.
    expect(sorted(byQuery)).toEqual(sorted(keysOf(missed, missedMessages)))
  })

  it('publishes every receipt once while the connector is killed repeatedly during callbacks', async () => {
    const all: SevenReceipt[] = []
    for (let round = 0; round < 6; round++) {
      await trial.connector.start()
      let killed = false
      const calls = (async () => {
        while (!killed) {
          const sent = receipts(30)
          all.push(...sent)
          addToLogs(sent)
          await trial.seven.send(sent.map(dlr))
        }
      })()
      // The random time until the kill is part of the load, not a wait for a condition.
      await new Promise((resolve) => setTimeout(resolve, random.integer(200, 1_500)))
      await trial.connector.kill()
      killed = true
      await calls
    }
    await trial.connector.start()
    await untilPublished(all.length)
    expect(await trial.connector.terminate()).toBe(0)
    const seen = await trial.readAll()
    expect(all.length).toBeGreaterThanOrEqual(6 * 30)
    expect(sorted(seen.map(keyOf))).toEqual(sorted(keysOf(all)))
    expect(seen.some(({ value }) => value['via'] === 'QUERY')).toBe(true)
    expect(seen.some(({ value }) => value['via'] === 'CALLBACK')).toBe(true)
  })
})

const postWatch = async (source: string, body: unknown): Promise<number> => {
  const url = `${trial.adminUrl}/sources/${source}/watch`
  return (await call(url, { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })).status
}

describe('Reconciler with watched messages', { timeout: 240_000 }, () => {
  it('queries messages of POST /watch and messages with an intermediate status, across a kill -9', async () => {
    await trial.connector.start()
    expect(await postWatch('nowhere', { messageIds: ['1'] })).toBe(404)
    expect(await postWatch('mtarget-fr', { messageIds: ['1'] })).toBe(404)
    expect(await postWatch('seven-main', { messageIds: [] })).toBe(400)
    const ids = Array.from({ length: 150 }, (_, i) => String(55_000 + i))
    expect(await postWatch('seven-main', { messageIds: ids })).toBe(202)
    await trial.seven.send([dlr({ msg_id: '66001', status: 'BUFFERED' })])
    await trial.connector.kill()

    for (const id of [...ids, '66001']) simulator.setStatus(id, 'DELIVERED')
    await trial.connector.start()
    await untilPublished(152)
    await until(async () => (await trial.metric('dlrmo_watched_messages{source="seven-main"}')) === 0)
    const answers = 'dlrmo_reconcile_requests_total{source="seven-main",endpoint="status",outcome="answer"}'
    const answered = await trial.metric(answers)
    expect(answered).toBeGreaterThanOrEqual(2)
    const status = (await (await fetch(`${trial.adminUrl}/status.json`)).json()) as { sources: object[] }
    expect(status.sources[1]).toMatchObject({
      source: 'seven-main',
      reconcile: true,
      reconciling: { state: 'ok', watched: 0, lastError: null },
    })
    expect(await trial.connector.terminate()).toBe(0)
    const seen = await trial.readAll()
    expect(sorted(seen.map(keyOf))).toEqual(
      sorted([...ids.map((id) => `${id} DELIVERED`), '66001 BUFFERED', '66001 DELIVERED']),
    )
    for (const { value } of seen)
      expect(value['via']).toBe(value['providerStatus'] === 'BUFFERED' ? 'CALLBACK' : 'QUERY')
  })
})

describe('Reconciler with an API key that the provider refuses', { timeout: 240_000 }, () => {
  it('shows the refusal in metrics, in the status and once in the log, while callbacks are published', async () => {
    simulator.setApiKeys('changed')
    await trial.connector.start()
    const refused = 'dlrmo_reconcile_requests_total{source="seven-main",endpoint="outbound",outcome="refused"}'
    await until(async () => (await trial.metric(refused)) >= 2)
    const sent = receipts(20)
    const answers = await trial.seven.send(sent.map(dlr))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    await untilPublished(20)
    const status = (await (await fetch(`${trial.adminUrl}/status.json`)).json()) as { sources: object[] }
    expect(status.sources[1]).toMatchObject({
      reconciling: {
        state: 'failing',
        lastError: expect.stringMatching(/900.*; see sources\.seven-main\.reconcile\.url and apiKey$/) as string,
      },
    })
    expect((await trial.log()).filter(({ msg }) => msg.startsWith('reconciling fails'))).toHaveLength(1)
    expect(await trial.connector.terminate()).toBe(0)
  })
})
