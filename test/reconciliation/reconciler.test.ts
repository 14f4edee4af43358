import { afterEach, describe, expect, it } from 'vitest'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HOUR, MINUTE, ReconcilerBench, SECOND, SOURCE } from '../support/reconciler.js'

const bench = new ReconcilerBench()
const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await bench.stopAll()
  await Promise.all(closers.splice(0).map((close) => close()))
})

/** A status API that answers as it likes; everything else is an empty log. */
const api = async (answer: (ids: readonly string[]) => { status?: number; type?: string; body: string }) => {
  const asked: string[][] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    if (!url.pathname.endsWith('/status')) return void response.end('[]')
    const ids = (url.searchParams.get('msg_id') ?? '').split(',')
    asked.push(ids)
    const { status = 200, type = 'application/json', body } = answer(ids)
    response.writeHead(status, { 'content-type': type }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`, asked }
}

const delivered = (ids: readonly string[]) => JSON.stringify(ids.map((id) => ({ id, status: 'DELIVERED' })))

describe('a watched message', () => {
  it('is asked for after `after`, then every `every`, until its final receipt is published', async () => {
    const simulator = await bench.simulator()
    simulator.setStatus('771', null)
    const tested = bench.reconciler(simulator.url)
    const began = tested.clock.now()
    await tested.watch('771')
    tested.reconciler.start()
    await tested.pass(15 * MINUTE - 1)
    expect(tested.queries).toEqual([])
    await tested.pass(7 * MINUTE)
    simulator.setStatus('771', 'BUFFERED')
    await tested.pass(5 * MINUTE)
    simulator.setStatus('771', 'DELIVERED')
    await tested.pass(60 * MINUTE)
    expect(tested.queries.map(({ at }) => (at - began) / MINUTE)).toEqual([15, 20, 25, 30])
    expect(tested.receipts).toEqual(['771 BUFFERED QUERY', '771 DELIVERED QUERY'])
    expect(tested.watched).toEqual([])
    expect(tested.observer.last).toMatchObject({ state: 'ok', watched: 0, lastError: null })
  })

  it('is one whose last receipt was intermediate, from when that came', async () => {
    const simulator = await bench.simulator()
    const tested = bench.reconciler(simulator.url)
    tested.reconciler.start()
    await tested.pass(10 * MINUTE)
    await tested.callback('771', 'TRANSMITTED')
    simulator.setStatus('771', 'NOTDELIVERED')
    await tested.pass(14 * MINUTE)
    expect(tested.queries).toEqual([])
    await tested.pass(7 * MINUTE)
    expect(tested.receipts).toEqual(['771 TRANSMITTED CALLBACK', '771 NOTDELIVERED QUERY'])
    await tested.pass(HOUR)
    expect(tested.queries).toHaveLength(1)
  })

  it('is not asked for once its callback came after all', async () => {
    const simulator = await bench.simulator()
    const tested = bench.reconciler(simulator.url)
    await tested.watch('771')
    tested.reconciler.start()
    await tested.pass(14 * MINUTE)
    await tested.callback('771', 'DELIVERED')
    await tested.pass(HOUR)
    expect(tested.queries).toEqual([])
  })

  it('whose final receipt is already published is asked for once, and nothing is published or kept', async () => {
    const simulator = await bench.simulator()
    simulator.setStatus('771', 'DELIVERED')
    const tested = bench.reconciler(simulator.url)
    await tested.callback('771', 'DELIVERED')
    await tested.pass(SECOND)
    await tested.watch('771')
    tested.reconciler.start()
    await tested.pass(2 * HOUR)
    expect(tested.queries).toHaveLength(1)
    expect(tested.receipts).toEqual(['771 DELIVERED CALLBACK'])
    expect(tested.outcomes).toHaveLength(1)
    expect(tested.observer.knownItems).toBe(1)
    expect(tested.watched).toEqual([])
  })

  it('that runs backwards is published in the order of arrival', async () => {
    const simulator = await bench.simulator()
    const tested = bench.reconciler(simulator.url, { after: 0 })
    await tested.watch('771')
    simulator.setStatus('771', 'BUFFERED')
    tested.reconciler.start()
    await tested.pass(SECOND)
    await tested.callback('771', 'DELIVERED')
    await tested.callback('771', 'TRANSMITTED')
    simulator.setStatus('771', 'TRANSMITTED')
    await tested.pass(6 * MINUTE)
    expect(tested.receipts).toEqual(['771 BUFFERED QUERY', '771 DELIVERED CALLBACK', '771 TRANSMITTED CALLBACK'])
  })

  it('that the provider does not know, or has no status of, stays until giveUpAfter; then it is dropped and counted', async () => {
    const simulator = await bench.simulator()
    simulator.setStatus('771', null)
    const tested = bench.reconciler(simulator.url, { every: HOUR, giveUpAfter: 6 * HOUR })
    await tested.watch('771', '999')
    tested.reconciler.start()
    await tested.pass(24 * HOUR)
    expect(tested.queries.length).toBeGreaterThanOrEqual(5)
    expect(tested.queries.length).toBeLessThanOrEqual(6)
    expect(tested.watched).toEqual([])
    expect(tested.observer.givenUp).toBe(2)
    expect(tested.log.linesAt('info')).toHaveLength(1)
    expect(JSON.stringify(tested.log.lines)).not.toContain('771')
    expect(tested.outcomes).toEqual([])
  })

  it('that could not be asked for in time, the connector being down, is asked for once more', async () => {
    const simulator = await bench.simulator()
    simulator.setStatus('771', 'DELIVERED')
    const tested = bench.reconciler(simulator.url, { giveUpAfter: 6 * HOUR })
    await tested.watch('771', '999')
    await tested.clock.advance(8 * HOUR)
    tested.reconciler.start()
    await tested.pass(HOUR)
    expect(tested.receipts).toEqual(['771 DELIVERED QUERY'])
    expect(tested.queries.map(({ ids }) => ids)).toEqual([['771', '999']])
    expect(tested.observer.givenUp).toBe(1)
  })

  it('is asked for on after a restart as if there had been none', async () => {
    const simulator = await bench.simulator()
    const first = bench.reconciler(simulator.url)
    const began = first.clock.now()
    await first.watch('771')
    first.reconciler.start()
    await first.pass(17 * MINUTE)
    await first.stop()
    const second = bench.reconciler(simulator.url, {}, first)
    second.reconciler.start()
    await second.pass(6 * MINUTE)
    const times = [...first.queries, ...second.queries].map(({ at }) => (at - began) / MINUTE)
    expect(times).toEqual([15, 20])
  })
})

describe('a status query', () => {
  it('names as many messages as the provider takes', async () => {
    const simulator = await bench.simulator()
    const ids = Array.from({ length: 250 }, (_, i) => String(7_700 + i))
    for (const id of ids) simulator.setStatus(id, 'DELIVERED')
    const tested = bench.reconciler(simulator.url)
    await tested.watch(...ids)
    tested.reconciler.start()
    await tested.pass(HOUR)
    expect(tested.queries.map((query) => query.ids.length)).toEqual([100, 100, 50])
    expect(tested.receipts.map((each) => each.split(' ')[0]).sort()).toEqual(ids)
  })

  it('never makes a request line of ids that are unusually long', async () => {
    const simulator = await bench.simulator()
    const tested = bench.reconciler(simulator.url)
    await tested.watch(...Array.from({ length: 20 }, (_, i) => `${i}${'é'.repeat(100)}`))
    tested.reconciler.start()
    await tested.pass(HOUR)
    expect(tested.queries.length).toBeGreaterThan(5)
    for (const { query } of simulator.requests) expect(query.length).toBeLessThan(2_000)
  })

  it('is put for one message at a time to a provider that refuses many, and for many again after an hour', async () => {
    const refuses = (ids: readonly string[]) =>
      ids.length > 1 ? { body: '"600"' } : { type: 'text/plain', body: 'BUFFERED\n1605878104' }
    const { url, asked } = await api(refuses)
    const tested = bench.reconciler(url, { every: 10 * MINUTE })
    await tested.watch('1', '2', '3')
    tested.reconciler.start()
    await tested.pass(30 * MINUTE)
    expect(asked).toEqual([['1', '2', '3'], ['1'], ['2'], ['3'], ['1'], ['2'], ['3']])
    expect(tested.receipts).toEqual(['1 BUFFERED QUERY', '2 BUFFERED QUERY', '3 BUFFERED QUERY'])
    await tested.pass(HOUR)
    expect(asked.filter((ids) => ids.length > 1)).toHaveLength(2)
    expect(tested.log.linesAt('warn')).toEqual([])
  })

  it('is put again for each message when the answer is a text that does not say which it is about', async () => {
    const { url, asked } = await api(() => ({ type: 'text/plain', body: 'DELIVERED\n1605878104' }))
    const tested = bench.reconciler(url)
    await tested.watch('1', '2')
    tested.reconciler.start()
    await tested.pass(HOUR)
    expect(asked).toEqual([['1', '2'], ['1'], ['2']])
    expect(tested.receipts).toEqual(['1 DELIVERED QUERY', '2 DELIVERED QUERY'])
    expect(tested.events.filter(({ kind }) => kind === 'dead-letter')).toEqual([])
  })

  it('is spoilt by one message once: that is asked for alone from then on, the others together', async () => {
    const { url, asked } = await api((ids) =>
      ids.includes('bad')
        ? { status: 400, body: 'no' }
        : { body: JSON.stringify(ids.map((id) => ({ id, status: null }))) },
    )
    const tested = bench.reconciler(url)
    await tested.watch('a', 'bad', 'c')
    tested.reconciler.start()
    await tested.pass(26 * MINUTE)
    expect(asked).toEqual([['a', 'bad', 'c'], ['a'], ['bad'], ['c'], ['bad'], ['a', 'c'], ['bad'], ['a', 'c']])
    expect(tested.log.linesAt('warn')).toEqual([])
  })

  it('that is refused whatever it names is an error, and put with growing delay', async () => {
    const { url, asked } = await api(() => ({ status: 404, body: 'gone' }))
    const tested = bench.reconciler(url)
    await tested.watch('a', 'b', 'c', 'd', 'e', 'f')
    tested.reconciler.start()
    await tested.pass(2 * HOUR)
    expect(asked.length).toBeLessThan(60)
    expect(tested.observer.last).toMatchObject({
      state: 'failing',
      lastError: expect.stringContaining('404') as string,
    })
    expect(tested.log.linesAt('warn')).toHaveLength(1)
  })

  it('is answered in plain text for one message, as of old', async () => {
    const simulator = await bench.simulator({ statusAnswer: 'text' })
    simulator.setStatus('771', 'EXPIRED')
    const tested = bench.reconciler(simulator.url)
    await tested.watch('771')
    tested.reconciler.start()
    await tested.pass(HOUR)
    expect(tested.receipts).toEqual(['771 EXPIRED QUERY'])
    const [event] = tested.events
    expect(event).toMatchObject({ raw: { msg_id: '771', status: 'EXPIRED' } })
  })
})

describe('an answer', () => {
  it('is in the journal as it came, with facts that say how, and never the key', async () => {
    const simulator = await bench.simulator()
    simulator.setStatus('771', 'DELIVERED')
    const tested = bench.reconciler(simulator.url)
    const letGo = tested.holdPublishing()
    await tested.watch('771')
    tested.reconciler.start()
    await tested.pass(16 * MINUTE)
    const [entry, ...others] = tested.journal.read(-1, { entries: 10, bytes: 1e6 })
    expect(others).toEqual([])
    expect(entry).toMatchObject({ source: SOURCE, provider: 'seven', via: 'QUERY' })
    expect(entry?.facts).toEqual({
      method: 'GET',
      path: '/api/status',
      query: 'msg_id=771',
      'content-type': 'application/json',
      status: '200',
    })
    expect(JSON.parse(Buffer.from(entry?.body ?? []).toString())).toEqual([
      { id: '771', status: 'DELIVERED', status_time: '2026-01-01 12:00:00' },
    ])
    expect(JSON.stringify(entry)).not.toContain('demo-key')
    letGo()
  })

  it('that waits in the journal because Kafka is away is not kept a second time', async () => {
    const simulator = await bench.simulator()
    simulator.setStatus('771', 'BUFFERED')
    simulator.setStatus('772', 'DELIVERED')
    const tested = bench.reconciler(simulator.url)
    const letGo = tested.holdPublishing()
    await tested.watch('771', '772')
    tested.reconciler.start()
    await tested.pass(5 * HOUR)
    expect(tested.journal.stats().entries).toBe(1)
    expect(tested.queries.length).toBeGreaterThan(40)
    simulator.setStatus('771', 'DELIVERED')
    await tested.pass(10 * MINUTE)
    expect(tested.journal.stats().entries).toBe(2)
    letGo()
    await tested.quiet()
    expect(tested.receipts).toEqual(['771 BUFFERED QUERY', '772 DELIVERED QUERY', '771 DELIVERED QUERY'])
    expect(tested.watched).toEqual([])
  })

  it('that holds one new status among known ones is kept whole', async () => {
    const simulator = await bench.simulator()
    for (const id of ['1', '2', '3']) simulator.setStatus(id, 'BUFFERED')
    const tested = bench.reconciler(simulator.url)
    await tested.watch('1', '2', '3')
    tested.reconciler.start()
    await tested.pass(16 * MINUTE)
    simulator.setStatus('2', 'DELIVERED')
    await tested.pass(5 * MINUTE)
    expect(tested.receipts).toEqual(['1 BUFFERED QUERY', '2 BUFFERED QUERY', '3 BUFFERED QUERY', '2 DELIVERED QUERY'])
    expect(tested.outcomes.map(({ kind }) => kind)).toEqual(['dlr', 'dlr', 'dlr', 'duplicate', 'dlr', 'duplicate'])
    expect(tested.watched).toEqual(['1', '3'])
  })

  it('that is none is kept once, ends as a dead letter, and is an error until there is one', async () => {
    let body = '<html>maintenance</html>'
    const { url, asked } = await api((ids) => ({ type: 'text/html', body: body === '' ? delivered(ids) : body }))
    const tested = bench.reconciler(url)
    await tested.watch('1')
    tested.reconciler.start()
    await tested.pass(HOUR)
    expect(asked.length).toBeGreaterThan(5)
    expect(tested.events).toMatchObject([{ kind: 'dead-letter', reason: 'not-a-report' }])
    expect(tested.observer.last?.state).toBe('failing')
    body = ''
    await tested.pass(10 * MINUTE)
    expect(tested.receipts).toEqual(['1 DELIVERED QUERY'])
    expect(tested.observer.last?.state).toBe('ok')
  })
})
