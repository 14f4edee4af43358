/** Entries that hold far more items than one transaction takes. */
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { readCommitted } from '../../dev/kafka/committed-reader.js'
import { setProducerQuota } from '../../dev/kafka/quotas.js'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { startTrial, untilPublished, type Trial } from '../../dev/trial.js'
import { until } from '../../dev/wait.js'
import { call } from '../support/call.js'

const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }
const ROWS = 80_000

let trial: Trial
const start = async (delivery: 'exactly-once' | 'at-least-once' = 'exactly-once'): Promise<void> => {
  trial = await startTrial(stack, ({ kafka, sources }) => {
    kafka['delivery'] = delivery
    sources['mtarget-push'] = { provider: 'mtarget', callback: { token: 'push-token' } }
  })
}
afterEach(() => trial.stop())

/** A push of many receipts that takes about 30 KB compressed. */
const largePush = (): Buffer => {
  const rows = Array.from({ length: ROWS }, () => '{"Status":3,"MsgId":"m1"}').join(',')
  return gzipSync(`{"results":[${rows}]}`)
}

const push = async (): Promise<void> => {
  const url = trial.callbackUrl.replace(/seven-main.*/, 'mtarget-push/push-token')
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
  expect(await call(url, { method: 'POST', headers, body: largePush() })).toMatchObject({ status: 200 })
}

const published = (): Promise<number> => trial.sum('dlrmo_events_published_total')

/** The producer quota of the next test, and the messages that are published under it. */
const QUOTA = { bytesPerSecond: 50_000, messages: 2_000 }

describe('A queue of inbound messages', () => {
  it('is published under a producer quota of the broker, in transactions that become as small as it needs', async () => {
    await start()
    await expectPublishedUnderQuota()
  }, 320_000)

  it('is published under a producer quota of the broker also with at-least-once delivery', async () => {
    await start('at-least-once')
    await expectPublishedUnderQuota()
  }, 320_000)

  const expectPublishedUnderQuota = async (): Promise<void> => {
    await setProducerQuota(stack.brokers[0]!, `dlr-mo-connector.${trial.name}`, QUOTA.bytesPerSecond)
    trial.mtarget.enqueue(new ProviderData(7).mtargetMessages(QUOTA.messages))
    await trial.connector.start()
    await untilPublished(trial, 300_000)
    expect(await trial.sum('dlrmo_throttled_seconds_total')).toBeGreaterThan(0)
    const messages = (await trial.log()).map(({ msg }) => msg)
    expect(messages).toContainEqual(expect.stringMatching(/throttle/i))
    expect(await readCommitted(stack.brokers, trial.topics.mo)).toHaveLength(QUOTA.messages)
  }
})

describe('A small compressed callback with very many receipts', () => {
  beforeEach(() => start())

  it('is published in several transactions, each receipt once, while callbacks of other sources are answered', async () => {
    await trial.connector.start()
    await push()
    await until(async () => (await published()) >= 20_000)
    const outcomes = await trial.seven.send([{ kind: 'dlr', data: { msg_id: '1', status: 'DELIVERED' } }])
    expect(outcomes.map(({ status }) => status)).toEqual([200])
    // The entry is still in the journal although the first of its receipts are published.
    expect(await trial.metric('dlrmo_journal_entries')).toBe(2)
    await untilPublished(trial)
    const records = await readCommitted(stack.brokers, trial.topics.dlr)
    expect(records).toHaveLength(ROWS + 1)
    expect(new Set(records.map(({ headers }) => headers['ce_id'])).size).toBe(ROWS + 1)
  })

  it('is published once although the connector is killed twice in the middle of it', async () => {
    await trial.connector.start()
    await push()
    for (let kills = 0; kills < 2; kills++) {
      const before = await published()
      await until(async () => (await published()) > before)
      await trial.connector.kill()
      await trial.connector.start()
    }
    await untilPublished(trial)
    const records = await readCommitted(stack.brokers, trial.topics.dlr)
    expect(new Set(records.map(({ headers }) => headers['ce_id'])).size).toBe(ROWS)
    expect(records).toHaveLength(ROWS)
  })
})
