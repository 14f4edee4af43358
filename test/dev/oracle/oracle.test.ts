/** The oracle must report each kind of difference; otherwise a verdict without problems would prove nothing. */
import { beforeEach, describe, expect, it } from 'vitest'
import { contentKey } from '../../../dev/oracle/content-key.js'
import { expectedHeaders, mtargetRecord, sevenReceiptRecord } from '../../../dev/oracle/expected-records.js'
import { listProblems, Oracle, type HandedOutItem, type Verdict } from '../../../dev/oracle/oracle.js'
import type { TopicRecord } from '../../../dev/oracle/topic-reader.js'
import type { MtargetRow } from '../../../dev/simulators/provider-data.js'

const TOPICS = { dlr: 'dlr', mo: 'mo', deadLetter: 'dead-letter' }

type Receipt = Parameters<typeof sevenReceiptRecord>[0]
const receipt = (msg_id: string, status: Receipt['status'] = 'DELIVERED'): Receipt => ({ msg_id, status })
const stop: MtargetRow = {
  MsgId: 'ticket',
  Status: '5',
  OriginatedAddress: '33612345678',
  DestinationAdress: '36111',
  Content: 'STOP',
}

const record = (kind: keyof typeof TOPICS, key: string, value: TopicRecord['value']): TopicRecord => {
  const complete = { receivedAt: 1_700_000_000_000, ...value }
  const headers = expectedHeaders({ value: complete }, kind)
  return { topic: TOPICS[kind], partition: 0, key, value: complete, headers }
}

/** The record of a receipt as it must be. */
function receiptRecord(data: Receipt, changes: Record<string, unknown> = {}): TopicRecord {
  const { key, value } = sevenReceiptRecord(data)
  return record('dlr', key, { eventId: `${data.msg_id} ${data.status}`, raw: { ...data }, ...value, ...changes })
}

/** The record of an inbound message as it must be. */
function messageRecord(row: MtargetRow, eventId: string): TopicRecord {
  const { key, value } = mtargetRecord(row)
  return record('mo', key, { eventId, ...value })
}

const deadLetter = (text: string): TopicRecord =>
  record('deadLetter', 'mtarget-fr', {
    eventId: text,
    source: 'mtarget-fr',
    provider: 'mtarget',
    request: {},
    body: Buffer.from(text),
    part: 0,
  })

let oracle: Oracle
beforeEach(() => {
  oracle = new Oracle(TOPICS)
})

const addReceipt = (data: Receipt, startedAt: number, acknowledgedAt?: number): void =>
  oracle.addItem({
    source: 'seven-main',
    kind: 'dlr',
    content: contentKey({ ...data }),
    expected: () => sevenReceiptRecord(data),
    hasIdentity: true,
    startedAt,
    acknowledgedAt,
  })

const addMessage = (row: MtargetRow, more: Partial<HandedOutItem> = {}): void =>
  oracle.addItem({
    source: 'mtarget-fr',
    kind: 'mo',
    content: contentKey(row),
    expected: () => mtargetRecord(row),
    hasIdentity: false,
    isOnlyCopy: true,
    startedAt: 1,
    acknowledgedAt: 2,
    ...more,
  })

const addBadInput = (mark: string): void =>
  oracle.addItem({
    source: 'mtarget-fr',
    kind: 'deadLetter',
    content: mark,
    hasIdentity: false,
    startedAt: 1,
    acknowledgedAt: 2,
  })

const audit = (...records: TopicRecord[]): Verdict => oracle.audit(records)

describe('The oracle', () => {
  it('reports no problem when each acknowledged item is there once', () => {
    addReceipt(receipt('1'), 1, 2)
    addReceipt(receipt('1'), 3, 4)
    addReceipt(receipt('2'), 5)
    addReceipt(receipt('3'), 6)
    const verdict = audit(receiptRecord(receipt('1')), receiptRecord(receipt('3')))
    const total = { handedOut: 4, owed: 1, published: 2, deadLettered: 0, gone: 0, lost: 0, doubled: 0 }
    expect(verdict).toEqual({
      total,
      bySource: [{ source: 'seven-main', kind: 'dlr', ...total }],
      lost: [],
      doubled: [],
      doubledUnderAnotherId: [],
      wrong: [],
    })
    expect(listProblems(verdict)).toEqual([])
  })

  it('reports a problem when nothing was handed out', () => {
    expect(listProblems(audit())).toEqual([expect.stringContaining('Nothing was handed out')])
  })

  it('counts the items of each source and topic, and their sum', () => {
    addReceipt(receipt('1'), 1, 2)
    addMessage(stop)
    addBadInput('bad-item-1-1')
    const { bySource, total } = audit(receiptRecord(receipt('1')), deadLetter('<bad-item-1-1>'))
    expect(bySource).toMatchObject([
      { source: 'seven-main', kind: 'dlr', owed: 1, published: 1, deadLettered: 0, lost: 0 },
      { source: 'mtarget-fr', kind: 'deadLetter', owed: 1, published: 0, deadLettered: 1, lost: 0 },
      { source: 'mtarget-fr', kind: 'mo', owed: 1, published: 0, deadLettered: 0, lost: 1 },
    ])
    expect(total).toMatchObject({ handedOut: 3, owed: 3, published: 1, deadLettered: 1, lost: 1 })
  })

  it('reports an acknowledged item that is not there as lost', () => {
    addReceipt(receipt('1'), 1, 2)
    const verdict = audit()
    expect(verdict.lost).toEqual([expect.stringContaining('"1"')])
    expect(verdict.total.lost).toBe(1)
    expect(listProblems(verdict)).toEqual([expect.stringMatching(/^LOST /)])
  })

  it('reports an item of a destructive queue that was not acknowledged and is not there as gone', () => {
    addMessage(stop, { acknowledgedAt: undefined })
    const verdict = audit()
    expect(verdict.total).toMatchObject({ gone: 1, lost: 0 })
    expect(listProblems(verdict)).toEqual([])
  })

  it('reports an item on a wrong topic as wrong and as lost', () => {
    addReceipt(receipt('1'), 1, 2)
    const verdict = audit({ ...receiptRecord(receipt('1')), topic: TOPICS.mo })
    expect(verdict.wrong).toEqual([expect.stringContaining('this item is on the topic mo')])
    expect(verdict.lost).toHaveLength(1)
  })

  it('reports an item that is there twice, and whether its event ids differ', () => {
    addReceipt(receipt('1'), 1, 2)
    const twice = audit(receiptRecord(receipt('1')), receiptRecord(receipt('1')))
    expect(twice.doubled).toEqual([expect.stringContaining('found 2 times')])
    expect(twice.total.doubled).toBe(1)
    expect(listProblems(twice, { mayDouble: true })).toEqual([])
    oracle = new Oracle(TOPICS)
    addReceipt(receipt('1'), 1, 2)
    const different = audit(receiptRecord(receipt('1')), receiptRecord(receipt('1'), { eventId: 'another' }))
    expect(different.doubledUnderAnotherId).toEqual([expect.stringContaining('another')])
    expect(listProblems(different, { mayDouble: true })).toHaveLength(1)
  })

  it('reports an unacknowledged item that is there twice', () => {
    addReceipt(receipt('1'), 1)
    expect(audit(receiptRecord(receipt('1')), receiptRecord(receipt('1'))).doubled).toHaveLength(1)
  })

  it('expects an item without an identity once for each time that it was acknowledged', () => {
    addMessage(stop)
    addMessage(stop, { acknowledgedAt: undefined })
    expect(audit().total).toMatchObject({ owed: 1, lost: 1, doubled: 0, gone: 1 })
    const addTwice = (): void => {
      oracle = new Oracle(TOPICS)
      addMessage(stop)
      addMessage(stop, { acknowledgedAt: undefined })
    }
    addTwice()
    expect(listProblems(audit(messageRecord(stop, 'a'), messageRecord(stop, 'b')))).toEqual([])
    addTwice()
    const thrice = audit(...['a', 'b', 'c'].map((eventId) => messageRecord(stop, eventId)))
    expect(thrice.total).toMatchObject({ lost: 0, doubled: 1 })
    expect(thrice.doubledUnderAnotherId).toHaveLength(1)
  })

  it('takes two records of an item without an identity for one item if they have the same event id', () => {
    addMessage(stop)
    addMessage(stop)
    expect(audit(messageRecord(stop, 'a'), messageRecord(stop, 'a')).total).toMatchObject({ lost: 1, doubled: 1 })
  })

  it('allows any number of items without an identity from an endless page', () => {
    addMessage(stop, { isEndless: true })
    expect(listProblems(audit(...['a', 'b', 'c'].map((eventId) => messageRecord(stop, eventId))))).toEqual([])
  })

  it('reports one event id that belongs to two items', () => {
    addReceipt(receipt('1'), 1, 2)
    addReceipt(receipt('2'), 1, 2)
    const records = ['1', '2'].map((id) => receiptRecord(receipt(id), { eventId: 'same' }))
    expect(audit(...records).wrong).toEqual([expect.stringContaining('the event id same belongs to two items')])
  })

  it.each([
    ['status', { status: 'REJECTED' }, /^status is "REJECTED", not "DELIVERED"/],
    ['via', { via: 'PULL' }, /^via is "PULL"/],
    ['messageId', { messageId: '2' }, /^messageId is "2"/],
  ])('reports a field %s that is not what was sent', (_name, changes, problem) => {
    addReceipt(receipt('1'), 1, 2)
    expect(audit(receiptRecord(receipt('1'), changes)).wrong).toEqual([expect.stringMatching(problem)])
  })

  it('reports a field raw with other field names than were sent', () => {
    addMessage(stop)
    const { MsgId, ...others } = stop
    const changed = messageRecord(stop, 'a')
    const renamed = { ...changed, value: { ...changed.value, raw: { ...others, 'data[MsgId]': MsgId } } }
    expect(audit(renamed).wrong).toEqual([expect.stringMatching(/^raw is/)])
  })

  it('reports a wrong key, a wrong header and an additional header', () => {
    const right = receiptRecord(receipt('1'))
    const findWrong = (changes: Partial<TopicRecord>): readonly string[] => {
      oracle = new Oracle(TOPICS)
      addReceipt(receipt('1'), 1, 2)
      return audit({ ...right, ...changes }).wrong
    }
    expect(findWrong({ key: '2' })).toEqual([expect.stringContaining('the key is "2"')])
    const aboutHeaders = [expect.stringContaining('the list of headers')]
    expect(findWrong({ headers: { ...right.headers, ce_type: 'x' } })).toEqual(aboutHeaders)
    expect(findWrong({ headers: { ...right.headers, more: 'x' } })).toEqual(aboutHeaders)
  })

  it('reports a record that was never handed out', () => {
    expect(audit(receiptRecord(receipt('1'))).wrong).toEqual([expect.stringContaining('was never handed out')])
    expect(audit(deadLetter('{"MsgId":"x"')).wrong).toEqual([expect.stringContaining('was never handed out')])
  })

  it('reports two states of a message in the wrong order if one was acknowledged before the other began', () => {
    const accepted = receipt('1', 'ACCEPTED')
    const delivered = receipt('1')
    addReceipt(accepted, 1, 2)
    addReceipt(delivered, 3, 4)
    expect(audit(receiptRecord(delivered), receiptRecord(accepted)).wrong).toEqual([
      expect.stringContaining('is behind'),
    ])
    oracle = new Oracle(TOPICS)
    addReceipt(accepted, 1, 5)
    addReceipt(delivered, 3, 4)
    expect(audit(receiptRecord(delivered), receiptRecord(accepted)).wrong).toEqual([])
  })

  it('expects bad input and the remainder of a page as dead letters with all their bytes', () => {
    const remainder = { source: 'mtarget-fr', bytes: Buffer.from('{"MsgId":"cut'), isOwed: true }
    addBadInput('bad-item-1-1')
    oracle.addRemainder(remainder)
    const complete = audit(deadLetter('<bad-item-1-1>'), deadLetter('{"results":[{"MsgId":"cut'))
    expect(listProblems(complete)).toEqual([])
    expect(complete.total).toMatchObject({ owed: 2, deadLettered: 2 })
    oracle = new Oracle(TOPICS)
    oracle.addRemainder(remainder)
    const shortened = audit(deadLetter('{"MsgId":"c'))
    expect(shortened.lost).toHaveLength(1)
    expect(shortened.wrong).toHaveLength(1)
  })

  it('accepts any part of a remainder that is not owed, and its absence', () => {
    const remainder = { source: 'mtarget-fr', bytes: Buffer.from('{"MsgId":"cut'), isOwed: false }
    oracle.addRemainder(remainder)
    expect(listProblems(audit(deadLetter('{"MsgId":"c')))).toEqual([])
    oracle = new Oracle(TOPICS)
    oracle.addRemainder(remainder)
    expect(listProblems(audit())).toEqual([])
  })

  it('does not take an owed remainder that contains the mark of a bad row for that row', () => {
    oracle.addRemainder({ source: 'mtarget-fr', bytes: Buffer.from('{"MsgId":"bad-item-1-1","Sta'), isOwed: true })
    addBadInput('bad-item-1-1')
    expect(audit(deadLetter('{"MsgId":"bad-item-1-1","Sta')).total).toMatchObject({ owed: 2, lost: 1, deadLettered: 1 })
  })
})

describe('The content key of an item', () => {
  it('is the same in every form in which the provider sends the item', () => {
    const key = contentKey({ msg_id: '1', status: 'DELIVERED' })
    const nested = { webhook_event: 'dlr', 'data[status]': 'DELIVERED', 'data[msg_id]': '1', 'data[timestamp]': 'now' }
    expect(contentKey(nested)).toBe(key)
    expect(contentKey({ msg_id: '1', status: 'FAILED' })).not.toBe(key)
  })
})
