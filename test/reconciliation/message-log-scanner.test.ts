import { afterEach, describe, expect, it } from 'vitest'
import { daysToScan } from '../../src/reconciliation/message-log-scanner.js'
import { berlinTime, inboundRow, outboundRow } from '../../dev/simulators/seven-log.js'
import { HOUR, MINUTE, ReconcilerFixtures, SECOND } from '../support/reconciler.js'

const fixtures = new ReconcilerFixtures()
afterEach(() => fixtures.stopAll())

const DAY = 24 * HOUR
const NOW = Date.UTC(2026, 0, 15, 12)

describe('MessageLogScanner of the outbound log', () => {
  it('scans at once after the start and publishes the receipts that no callback delivered', async () => {
    const simulator = await fixtures.simulator()
    simulator.outbound.push(
      outboundRow('771', 'DELIVERED', berlinTime(NOW - HOUR)),
      outboundRow('772', 'NOTDELIVERED', berlinTime(NOW - 30 * HOUR)),
    )
    const tested = fixtures.reconciler(simulator.url)
    tested.reconciler.start()
    await tested.advance(SECOND)
    expect(tested.receipts.sort()).toEqual(['771 DELIVERED QUERY', '772 NOTDELIVERED QUERY'])
    expect(tested.events[0]).toMatchObject({ recipient: '+49176123456789', sender: 'MYSHOP', final: true })
    expect(tested.watched).toEqual([])
    expect(tested.observer.last?.lastWalkAt).toMatchObject({
      outbound: expect.any(Number) as number,
      inbound: expect.any(Number) as number,
    })
  })

  it('publishes no receipt that a callback delivered before, and stores no page without new items', async () => {
    const simulator = await fixtures.simulator()
    for (const id of ['771', '772']) simulator.outbound.push(outboundRow(id, 'DELIVERED', berlinTime(NOW - HOUR)))
    const tested = fixtures.reconciler(simulator.url)
    for (const id of ['771', '772']) await tested.receiveCallback(id, 'DELIVERED')
    await tested.advance(SECOND)
    tested.reconciler.start()
    await tested.advance(5 * HOUR)
    expect(tested.logRequests.filter(({ url }) => url.pathname.endsWith('outbound')).length).toBeGreaterThanOrEqual(5)
    expect(tested.receipts).toEqual(['771 DELIVERED CALLBACK', '772 DELIVERED CALLBACK'])
    expect(tested.outcomes).toHaveLength(2)
    expect(tested.observer.knownItems).toBeGreaterThanOrEqual(10)
  })

  it('scans again every `log.every`', async () => {
    const simulator = await fixtures.simulator()
    const tested = fixtures.reconciler(simulator.url, { log: { every: 20 * MINUTE, days: 2 } })
    tested.reconciler.start()
    await tested.advance(30 * MINUTE)
    simulator.outbound.push(outboundRow('771', 'DELIVERED', berlinTime(NOW)))
    simulator.inbound.push(inboundRow('9', berlinTime(NOW)))
    await tested.advance(20 * MINUTE)
    expect(tested.events.map(({ kind }) => kind).sort()).toEqual(['dlr', 'mo'])
  })

  it('reads every row while rows are added before those that it has read', async () => {
    const simulator = await fixtures.simulator()
    const ids = Array.from({ length: 1_234 }, (_, i) => String(77_000 + i))
    for (const [i, id] of ids.entries()) {
      simulator.outbound.push(outboundRow(id, 'DELIVERED', berlinTime(NOW - DAY + i * SECOND)))
    }
    const tested = fixtures.reconciler(simulator.url)
    tested.reconciler.start()
    for (let i = 0; i < 40; i++) {
      const id = String(88_000 + i)
      ids.push(id)
      simulator.outbound.push(outboundRow(id, 'DELIVERED', berlinTime(tested.clock.now())))
      await tested.advance(100)
    }
    await tested.advance(MINUTE)
    const found = new Set(tested.receipts.map((each) => each.split(' ')[0]))
    expect(ids.slice(0, 1_234).filter((id) => !found.has(id))).toEqual([])
    expect(tested.receipts.length).toBeLessThan(ids.length)
    await tested.advance(HOUR)
    expect(tested.receipts.map((each) => each.split(' ')[0]).sort()).toEqual(ids)
  })

  it('reads every row while rows are removed before those that it has read', async () => {
    const simulator = await fixtures.simulator()
    const ids = Array.from({ length: 500 }, (_, i) => String(77_000 + i))
    for (const [i, id] of ids.entries()) {
      simulator.outbound.push(outboundRow(id, 'DELIVERED', berlinTime(NOW - i * SECOND)))
    }
    const tested = fixtures.reconciler(simulator.url)
    tested.reconciler.start()
    while (simulator.requests.filter(({ path }) => path.endsWith('outbound')).length < 3) await tested.advance(100)
    simulator.outbound.splice(0, 8)
    await tested.advance(MINUTE)
    expect(tested.receipts.map((each) => each.split(' ')[0]).sort()).toEqual(ids)
  })

  it('puts messages without a final receipt on the watch list, with the age of the message', async () => {
    const simulator = await fixtures.simulator()
    const sent = (id: string, dlr: string | null, age: number) =>
      simulator.outbound.push(outboundRow(id, dlr, berlinTime(NOW - age)))
    sent('old', null, HOUR)
    sent('young', null, 5 * MINUTE)
    sent('under way', 'TRANSMITTED', HOUR)
    sent('done', 'DELIVERED', HOUR)
    sent('expired', null, 30 * HOUR)
    for (const id of ['old', 'young', 'under way', 'expired']) simulator.setStatus(id, 'DELIVERED')
    const tested = fixtures.reconciler(simulator.url, { giveUpAfter: 24 * HOUR })
    tested.reconciler.start()
    await tested.advance(6 * MINUTE)
    expect(tested.watched).toEqual(['young'])
    expect(tested.queries.map(({ ids }) => ids)).toEqual([['old', 'under way']])
    await tested.advance(15 * MINUTE)
    expect(tested.receipts.sort()).toEqual([
      'done DELIVERED QUERY',
      'old DELIVERED QUERY',
      'under way DELIVERED QUERY',
      'under way TRANSMITTED QUERY',
      'young DELIVERED QUERY',
    ])
    expect(tested.watched).toEqual([])
  })

  it('does not watch a message again that was given up', async () => {
    const simulator = await fixtures.simulator()
    simulator.outbound.push(outboundRow('771', null, berlinTime(NOW - HOUR)))
    const tested = fixtures.reconciler(simulator.url, { giveUpAfter: 6 * HOUR, every: HOUR })
    tested.reconciler.start()
    await tested.advance(24 * HOUR)
    expect(tested.observer.givenUp).toBe(1)
    expect(tested.queries.at(-1)?.at).toBeLessThan(NOW + 5 * HOUR)
  })

  it('ends a scan with an error if the provider ignores the offset', async () => {
    const simulator = await fixtures.simulator()
    for (let i = 0; i < 100; i++) simulator.outbound.push(outboundRow(`77${i}`, 'DELIVERED', berlinTime(NOW - HOUR)))
    const tested = fixtures.reconciler(simulator.url)
    const rows = simulator.outbound
    Object.defineProperty(rows, 'filter', { value: () => ({ sort: () => ({ slice: () => rows.slice(0, 100) }) }) })
    tested.reconciler.start()
    await tested.advance(10 * MINUTE)
    expect(tested.logRequests.filter(({ url }) => url.pathname.endsWith('outbound'))).toHaveLength(2)
    expect(tested.observer.last?.state).toBe('failing')
    expect(tested.receipts).toHaveLength(100)
  })
})

describe('MessageLogScanner of the inbound log', () => {
  it('publishes messages that no webhook delivered, with the event id that the webhook would have given them', async () => {
    const simulator = await fixtures.simulator()
    simulator.inbound.push(
      inboundRow('681590', berlinTime(NOW - HOUR)),
      inboundRow('681591', berlinTime(NOW - HOUR), 'Hi'),
    )
    const tested = fixtures.reconciler(simulator.url)
    const fields = { webhook_event: 'sms_mo', 'data[id]': '681590', 'data[sender]': '49176123456789' }
    await tested.journal.append({
      source: 'seven-main',
      provider: 'seven',
      via: 'CALLBACK',
      receivedAt: NOW,
      facts: { method: 'POST', path: '/callbacks/seven-main', query: '' },
      body: Buffer.from(new URLSearchParams({ ...fields, 'data[text]': 'STOP' }).toString()),
    })
    await tested.advance(SECOND)
    tested.reconciler.start()
    await tested.advance(3 * HOUR)
    expect(tested.events).toMatchObject([
      { kind: 'mo', messageId: '681590', via: 'CALLBACK' },
      { kind: 'mo', messageId: '681591', via: 'QUERY', text: 'Hi', sender: '+49176123456789' },
    ])
  })

  it('publishes one dead letter of a row that can not be decoded, however often the log is scanned', async () => {
    const simulator = await fixtures.simulator()
    const row: Partial<ReturnType<typeof inboundRow>> = inboundRow('681590', berlinTime(NOW - HOUR))
    delete row.text
    simulator.inbound.push(row as ReturnType<typeof inboundRow>)
    const tested = fixtures.reconciler(simulator.url)
    tested.reconciler.start()
    await tested.advance(5 * HOUR)
    expect(tested.events).toMatchObject([{ kind: 'dead-letter', reason: 'missing-text' }])
  })
})

describe('daysToScan', () => {
  const MAX_LOOK_BACK = 28 * DAY

  it('returns the configured days, today included, and one more on either side for other time zones', () => {
    expect(daysToScan(NOW, 0, 1, MAX_LOOK_BACK)).toEqual({ from: '2026-01-14', to: '2026-01-16' })
    expect(daysToScan(NOW, 0, 2, MAX_LOOK_BACK)).toEqual({ from: '2026-01-13', to: '2026-01-16' })
    expect(daysToScan(Date.UTC(2026, 2, 1, 23, 59), NOW, 2, MAX_LOOK_BACK)).toMatchObject({ to: '2026-03-02' })
  })

  it('reaches back to the last complete scan if that is longer ago, limited by the maximum', () => {
    expect(daysToScan(NOW, NOW - HOUR, 2, MAX_LOOK_BACK)).toEqual(daysToScan(NOW, 0, 2, MAX_LOOK_BACK))
    expect(daysToScan(NOW, NOW - 5 * DAY, 2, MAX_LOOK_BACK).from).toBe('2026-01-09')
    expect(daysToScan(NOW, NOW - 12 * HOUR - 1, 1, MAX_LOOK_BACK).from).toBe('2026-01-13')
    expect(daysToScan(NOW, NOW - 400 * DAY, 2, MAX_LOOK_BACK).from).toBe('2025-12-18')
    expect(daysToScan(NOW, NOW - 400 * DAY, 2, -DAY)).toEqual(daysToScan(NOW, 0, 2, MAX_LOOK_BACK))
  })

  it('makes a scan find a receipt that was missed during a week without a connector', async () => {
    const simulator = await fixtures.simulator()
    const first = fixtures.reconciler(simulator.url)
    first.reconciler.start()
    await first.advance(MINUTE)
    await first.stop()
    await first.clock.advance(7 * DAY)
    simulator.outbound.push(outboundRow('771', 'DELIVERED', berlinTime(NOW + 2 * HOUR)))
    const second = fixtures.reconciler(simulator.url, {}, first)
    second.reconciler.start()
    await second.advance(SECOND)
    expect(second.receipts).toEqual(['771 DELIVERED QUERY'])
    expect(second.logRequests[0]?.url.searchParams.get('date_from')).toBe('2026-01-14')
  })
})
