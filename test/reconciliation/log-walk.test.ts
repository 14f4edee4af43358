import { afterEach, describe, expect, it } from 'vitest'
import { daysFor } from '../../src/reconciliation/log-walk.js'
import { berlin, inboundRow, outboundRow } from '../../dev/simulators/seven-rows.js'
import { HOUR, MINUTE, ReconcilerBench, SECOND } from '../support/reconciler.js'

const bench = new ReconcilerBench()
afterEach(() => bench.stopAll())

const DAY = 24 * HOUR
const NOW = Date.UTC(2026, 0, 15, 12)

describe('the walk through the log of messages sent', () => {
  it('begins at once and publishes the receipts that never came, without being asked for any', async () => {
    const simulator = await bench.simulator()
    simulator.outbound.push(
      outboundRow('771', 'DELIVERED', berlin(NOW - HOUR)),
      outboundRow('772', 'NOTDELIVERED', berlin(NOW - 30 * HOUR)),
    )
    const tested = bench.reconciler(simulator.url)
    tested.reconciler.start()
    await tested.pass(SECOND)
    expect(tested.receipts.sort()).toEqual(['771 DELIVERED QUERY', '772 NOTDELIVERED QUERY'])
    expect(tested.events[0]).toMatchObject({ recipient: '+49176123456789', sender: 'MYSHOP', final: true })
    expect(tested.watched).toEqual([])
    expect(tested.observer.last?.lastWalkAt).toMatchObject({
      outbound: expect.any(Number) as number,
      inbound: expect.any(Number) as number,
    })
  })

  it('publishes none that a callback brought before, and keeps no page of which all is known', async () => {
    const simulator = await bench.simulator()
    for (const id of ['771', '772']) simulator.outbound.push(outboundRow(id, 'DELIVERED', berlin(NOW - HOUR)))
    const tested = bench.reconciler(simulator.url)
    for (const id of ['771', '772']) await tested.callback(id, 'DELIVERED')
    await tested.pass(SECOND)
    tested.reconciler.start()
    await tested.pass(5 * HOUR)
    expect(tested.walks.filter(({ url }) => url.pathname.endsWith('outbound')).length).toBeGreaterThanOrEqual(5)
    expect(tested.receipts).toEqual(['771 DELIVERED CALLBACK', '772 DELIVERED CALLBACK'])
    expect(tested.outcomes).toHaveLength(2)
    expect(tested.observer.knownItems).toBeGreaterThanOrEqual(10)
  })

  it('comes again every `log.every`', async () => {
    const simulator = await bench.simulator()
    const tested = bench.reconciler(simulator.url, { log: { every: 20 * MINUTE, days: 2 } })
    tested.reconciler.start()
    await tested.pass(30 * MINUTE)
    simulator.outbound.push(outboundRow('771', 'DELIVERED', berlin(NOW)))
    simulator.inbound.push(inboundRow('9', berlin(NOW)))
    await tested.pass(20 * MINUTE)
    expect(tested.events.map(({ kind }) => kind).sort()).toEqual(['dlr', 'mo'])
  })

  it('reads every page, also while rows are added in front of those that it has read', async () => {
    const simulator = await bench.simulator()
    const ids = Array.from({ length: 1_234 }, (_, i) => String(77_000 + i))
    for (const [i, id] of ids.entries()) {
      simulator.outbound.push(outboundRow(id, 'DELIVERED', berlin(NOW - DAY + i * SECOND)))
    }
    const tested = bench.reconciler(simulator.url)
    tested.reconciler.start()
    for (let i = 0; i < 40; i++) {
      const id = String(88_000 + i)
      ids.push(id)
      simulator.outbound.push(outboundRow(id, 'DELIVERED', berlin(tested.clock.now())))
      await tested.pass(100)
    }
    await tested.pass(MINUTE)
    const found = new Set(tested.receipts.map((each) => each.split(' ')[0]))
    expect(ids.slice(0, 1_234).filter((id) => !found.has(id))).toEqual([])
    expect(tested.receipts.length).toBeLessThan(ids.length)
    await tested.pass(HOUR)
    expect(tested.receipts.map((each) => each.split(' ')[0]).sort()).toEqual(ids)
  })

  it('reads every page, also while rows are taken away before those that it has read', async () => {
    const simulator = await bench.simulator()
    const ids = Array.from({ length: 500 }, (_, i) => String(77_000 + i))
    for (const [i, id] of ids.entries()) {
      simulator.outbound.push(outboundRow(id, 'DELIVERED', berlin(NOW - i * SECOND)))
    }
    const tested = bench.reconciler(simulator.url)
    tested.reconciler.start()
    while (simulator.requests.filter(({ path }) => path.endsWith('outbound')).length < 3) await tested.pass(100)
    simulator.outbound.splice(0, 8)
    await tested.pass(MINUTE)
    expect(tested.receipts.map((each) => each.split(' ')[0]).sort()).toEqual(ids)
  })

  it('puts messages without a final receipt on the watch list, as old as they are', async () => {
    const simulator = await bench.simulator()
    const sent = (id: string, dlr: string | null, age: number) =>
      simulator.outbound.push(outboundRow(id, dlr, berlin(NOW - age)))
    sent('old', null, HOUR)
    sent('young', null, 5 * MINUTE)
    sent('under way', 'TRANSMITTED', HOUR)
    sent('done', 'DELIVERED', HOUR)
    sent('hopeless', null, 30 * HOUR)
    for (const id of ['old', 'young', 'under way', 'hopeless']) simulator.setStatus(id, 'DELIVERED')
    const tested = bench.reconciler(simulator.url, { giveUpAfter: 24 * HOUR })
    tested.reconciler.start()
    await tested.pass(6 * MINUTE)
    expect(tested.watched).toEqual(['young'])
    expect(tested.queries.map(({ ids }) => ids)).toEqual([['old', 'under way']])
    await tested.pass(15 * MINUTE)
    expect(tested.receipts.sort()).toEqual([
      'done DELIVERED QUERY',
      'old DELIVERED QUERY',
      'under way DELIVERED QUERY',
      'under way TRANSMITTED QUERY',
      'young DELIVERED QUERY',
    ])
    expect(tested.watched).toEqual([])
  })

  it('does not take up again what was given up', async () => {
    const simulator = await bench.simulator()
    simulator.outbound.push(outboundRow('771', null, berlin(NOW - HOUR)))
    const tested = bench.reconciler(simulator.url, { giveUpAfter: 6 * HOUR, every: HOUR })
    tested.reconciler.start()
    await tested.pass(24 * HOUR)
    expect(tested.observer.givenUp).toBe(1)
    expect(tested.queries.at(-1)?.at).toBeLessThan(NOW + 5 * HOUR)
  })

  it('of a provider that does not heed the offset ends, and is an error', async () => {
    const simulator = await bench.simulator()
    for (let i = 0; i < 100; i++) simulator.outbound.push(outboundRow(`77${i}`, 'DELIVERED', berlin(NOW - HOUR)))
    const tested = bench.reconciler(simulator.url)
    const rows = simulator.outbound
    Object.defineProperty(rows, 'filter', { value: () => ({ sort: () => ({ slice: () => rows.slice(0, 100) }) }) })
    tested.reconciler.start()
    await tested.pass(10 * MINUTE)
    expect(tested.walks.filter(({ url }) => url.pathname.endsWith('outbound'))).toHaveLength(2)
    expect(tested.observer.last?.state).toBe('failing')
    expect(tested.receipts).toHaveLength(100)
  })
})

describe('the walk through the log of messages received', () => {
  it('publishes what no webhook brought, under the identity that the webhook would have given it', async () => {
    const simulator = await bench.simulator()
    simulator.inbound.push(inboundRow('681590', berlin(NOW - HOUR)), inboundRow('681591', berlin(NOW - HOUR), 'Hi'))
    const tested = bench.reconciler(simulator.url)
    const fields = { webhook_event: 'sms_mo', 'data[id]': '681590', 'data[sender]': '49176123456789' }
    await tested.journal.append({
      source: 'seven-main',
      provider: 'seven',
      via: 'CALLBACK',
      receivedAt: NOW,
      facts: { method: 'POST', path: '/callbacks/seven-main', query: '' },
      body: Buffer.from(new URLSearchParams({ ...fields, 'data[text]': 'STOP' }).toString()),
    })
    await tested.pass(SECOND)
    tested.reconciler.start()
    await tested.pass(3 * HOUR)
    expect(tested.events).toMatchObject([
      { kind: 'mo', messageId: '681590', via: 'CALLBACK' },
      { kind: 'mo', messageId: '681591', via: 'QUERY', text: 'Hi', sender: '+49176123456789' },
    ])
  })

  it('makes one dead letter of a row that can not be read, however often it is walked past', async () => {
    const simulator = await bench.simulator()
    const row: Partial<ReturnType<typeof inboundRow>> = inboundRow('681590', berlin(NOW - HOUR))
    delete row.text
    simulator.inbound.push(row as ReturnType<typeof inboundRow>)
    const tested = bench.reconciler(simulator.url)
    tested.reconciler.start()
    await tested.pass(5 * HOUR)
    expect(tested.events).toMatchObject([{ kind: 'dead-letter', reason: 'missing-text' }])
  })
})

describe('the days that are asked for', () => {
  const REACH = 28 * DAY

  it('are those of the configuration, today included, and one more on either side for other clocks', () => {
    expect(daysFor(NOW, 0, 1, REACH)).toEqual({ from: '2026-01-14', to: '2026-01-16' })
    expect(daysFor(NOW, 0, 2, REACH)).toEqual({ from: '2026-01-13', to: '2026-01-16' })
    expect(daysFor(Date.UTC(2026, 2, 1, 23, 59), NOW, 2, REACH)).toMatchObject({ to: '2026-03-02' })
  })

  it('reach back to the last complete walk when that is longer ago, but not for ever', () => {
    expect(daysFor(NOW, NOW - HOUR, 2, REACH)).toEqual(daysFor(NOW, 0, 2, REACH))
    expect(daysFor(NOW, NOW - 5 * DAY, 2, REACH).from).toBe('2026-01-09')
    expect(daysFor(NOW, NOW - 12 * HOUR - 1, 1, REACH).from).toBe('2026-01-13')
    expect(daysFor(NOW, NOW - 400 * DAY, 2, REACH).from).toBe('2025-12-18')
    expect(daysFor(NOW, NOW - 400 * DAY, 2, -DAY)).toEqual(daysFor(NOW, 0, 2, REACH))
  })

  it('hold what was missed in a week without a connector', async () => {
    const simulator = await bench.simulator()
    const first = bench.reconciler(simulator.url)
    first.reconciler.start()
    await first.pass(MINUTE)
    await first.stop()
    await first.clock.advance(7 * DAY)
    simulator.outbound.push(outboundRow('771', 'DELIVERED', berlin(NOW + 2 * HOUR)))
    const second = bench.reconciler(simulator.url, {}, first)
    second.reconciler.start()
    await second.pass(SECOND)
    expect(second.receipts).toEqual(['771 DELIVERED QUERY'])
    expect(second.walks[0]?.url.searchParams.get('date_from')).toBe('2026-01-14')
  })
})
