/** An oracle that can't complain proves nothing. */
import { beforeEach, describe, expect, it } from 'vitest'
import { contentKey } from '../../../dev/demo/ledger.js'
import { fromSeven, headersFor } from '../../../dev/oracle/expected-records.js'
import { markIn } from '../../../dev/oracle/handed-out.js'
import { type Found, Oracle, type Verdict } from '../../../dev/oracle/oracle.js'

const receipt = (msg_id: string, status: 'ACCEPTED' | 'DELIVERED' = 'DELIVERED') => ({ msg_id, status })

/** As it should be on the topic. */
function published(data: ReturnType<typeof receipt>, change: Partial<Found['value']> = {}): Found {
  const { key, value } = fromSeven(data)
  const eventId = `${data.msg_id} ${data.status}`
  const whole = { ...value, eventId, receivedAt: 1_700_000_000_000, ...change }
  return { topic: 'dlr', partition: 0, key, value: whole, headers: headersFor({ value: whole }, 'dlr') }
}

const deadLetter = (text: string, body = Buffer.from(text)): Found => {
  const value = { eventId: text, source: 'mtarget-fr', provider: 'mtarget', receivedAt: 1, request: {}, body, part: 0 }
  return { topic: 'deadLetter', partition: 0, key: 'mtarget-fr', value, headers: headersFor({ value }, 'deadLetter') }
}

describe('the oracle', () => {
  let oracle: Oracle
  beforeEach(() => (oracle = new Oracle()))

  const hand = (data: ReturnType<typeof receipt>, from: number, until?: number): void =>
    oracle.handedOut({
      source: 'seven-main',
      topic: 'dlr',
      content: contentKey(data),
      expected: () => fromSeven(data),
      from,
      until,
    })
  const audit = (...records: Found[]): Verdict => oracle.audit(records, markIn)

  it('has no complaint when each is there once, repeated callbacks and unacknowledged ones included', () => {
    hand(receipt('1'), 1, 2)
    hand(receipt('1'), 3, 4)
    hand(receipt('2'), 5)
    hand(receipt('3'), 6)
    expect(audit(published(receipt('1')), published(receipt('3')))).toEqual({
      handedOut: 4,
      owed: 1,
      published: 2,
      deadLettered: 0,
      gone: 0,
      lost: [],
      doubled: [],
      strangers: [],
      wrong: [],
    })
  })

  it('misses what was acknowledged', () => {
    hand(receipt('1'), 1, 2)
    expect(audit().lost).toEqual([expect.stringContaining('"1"')])
  })

  it('sees what is there twice, and whether its event id says so', () => {
    hand(receipt('1'), 1, 2)
    const verdict = audit(published(receipt('1')), published(receipt('1'), { eventId: 'another' }))
    expect(verdict.doubled).toEqual([expect.stringContaining('2 times')])
    expect(verdict.strangers).toEqual([expect.stringContaining('another')])
  })

  it('sees one event id for two items', () => {
    hand(receipt('1'), 1, 2)
    hand(receipt('2'), 1, 2)
    const same = { eventId: 'same' }
    expect(audit(published(receipt('1'), same), published(receipt('2'), same)).wrong).toEqual([
      expect.stringContaining('one event id'),
    ])
  })

  it.each([
    ['a status', { status: 'REJECTED' }, /^status is "REJECTED", not "DELIVERED"/],
    ['a way', { via: 'PULL' }, /^via is "PULL"/],
    ['a message id', { messageId: '2' }, /^messageId is "2"/],
  ])('sees %s that is not what was sent', (_what, change, complaint) => {
    hand(receipt('1'), 1, 2)
    expect(audit(published(receipt('1'), change)).wrong).toEqual([expect.stringMatching(complaint)])
  })

  it('sees another key, another header, another topic', () => {
    hand(receipt('1'), 1, 2)
    const record = published(receipt('1'))
    expect(audit({ ...record, key: '2' }).wrong).toEqual([expect.stringContaining('the key is "2"')])
    oracle = new Oracle()
    hand(receipt('1'), 1, 2)
    expect(audit({ ...record, headers: { ...record.headers, ce_type: 'x' } }).wrong).toHaveLength(1)
    oracle = new Oracle()
    hand(receipt('1'), 1, 2)
    expect(audit({ ...record, topic: 'mo' }).wrong).toEqual([expect.stringContaining('on topic mo')])
  })

  it('sees what nobody handed out', () => {
    expect(audit(published(receipt('1'))).wrong).toEqual([expect.stringContaining('nobody handed this out')])
    expect(audit(deadLetter('{"MsgId":"x"')).wrong).toEqual([expect.stringContaining('nobody handed this out')])
  })

  it('sees states of one message in the wrong order, where one was acknowledged before the other began', () => {
    const [accepted, delivered] = [receipt('1', 'ACCEPTED'), receipt('1')]
    hand(accepted, 1, 2)
    hand(delivered, 3, 4)
    expect(audit(published(delivered), published(accepted)).wrong).toEqual([expect.stringContaining('behind')])
    oracle = new Oracle()
    hand(accepted, 1, 5)
    hand(delivered, 3, 4)
    expect(audit(published(delivered), published(accepted)).wrong).toEqual([])
  })

  it('wants bad input and the rest of a cut page as dead letters, byte for byte', () => {
    oracle.handedOut({ source: 'mtarget-fr', topic: 'deadLetter', content: 'bad-item-1-1', from: 1, until: 2 })
    oracle.cut({ bytes: Buffer.from('{"MsgId":"cut'), owed: true })
    expect(audit(deadLetter('<bad-item-1-1>'), deadLetter('{"results":[{"MsgId":"cut')).lost).toEqual([])
    oracle = new Oracle()
    oracle.cut({ bytes: Buffer.from('{"MsgId":"cut'), owed: true })
    const verdict = audit(deadLetter('{"MsgId":"c'))
    expect(verdict.lost).toHaveLength(1)
    expect(verdict.wrong).toHaveLength(1)
  })
})
