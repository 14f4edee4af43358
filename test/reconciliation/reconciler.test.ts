import { afterEach, describe, expect, it } from 'vitest'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HOUR, MINUTE, ReconcilerFixtures, SECOND, SOURCE } from '../support/reconciler.js'

const fixtures = new ReconcilerFixtures()
const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await fixtures.stopAll()
  await Promise.all(closers.splice(0).map((close) => close()))
})

/** Starts a status API with given answers and empty message logs. */
const startStatusApi = async (answer: (ids: readonly string[]) => { status?: number; type?: string; body: string }) => {
  const queries: string[][] = []
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    if (!url.pathname.endsWith('/status')) return void response.end('[]')
    const ids = (url.searchParams.get('msg_id') ?? '').split(',')
    queries.push(ids)
    const { status = 200, type = 'application/json', body } = answer(ids)
    response.writeHead(status, { 'content-type': type }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`, queries }
}

const delivered = (ids: readonly string[]) => JSON.stringify(ids.map((id) => ({ id, status: 'DELIVERED' })))

describe('Reconciler with a watched message', () => {
  it('queries it after `after`, then every `every`, until its final receipt is published', async () => {
    const simulator = await fixtures.simulator()
    simulator.setStatus('771', null)
    const tested = fixtures.reconciler(simulator.url)
    const began = tested.clock.now()
    await tested.watch('771')
    tested.reconciler.start()
    await tested.advance(15 * MINUTE - 1)
    expect(tested.queries).toEqual([])
    await tested.advance(7 * MINUTE)
    simulator.setStatus('771', 'BUFFERED')
    await tested.advance(5 * MINUTE)
    simulator.setStatus('771', 'DELIVERED')
    await tested.advance(60 * MINUTE)
    expect(tested.queries.map(({ at }) => (at - began) / MINUTE)).toEqual([15, 20, 25, 30])
    expect(tested.receipts).toEqual(['771 BUFFERED QUERY', '771 DELIVERED QUERY'])
    expect(tested.watched).toEqual([])
    expect(tested.observer.last).toMatchObject({ state: 'ok', watched: 0, lastError: null })
  })

  it('watches a message from the arrival of an intermediate receipt on', async () => {
    const simulator = await fixtures.simulator()
    const tested = fixtures.reconciler(simulator.url)
    tested.reconciler.start()
    await tested.advance(10 * MINUTE)
    await tested.receiveCallback('771', 'TRANSMITTED')
    simulator.setStatus('771', 'NOTDELIVERED')
    await tested.advance(14 * MINUTE)
    expect(tested.queries).toEqual([])
    await tested.advance(7 * MINUTE)
    expect(tested.receipts).toEqual(['771 TRANSMITTED CALLBACK', '771 NOTDELIVERED QUERY'])
    await tested.advance(HOUR)
    expect(tested.queries).toHaveLength(1)
  })

  it('does not query it once a callback has delivered its final receipt', async () => {
    const simulator = await fixtures.simulator()
    const tested = fixtures.reconciler(simulator.url)
    await tested.watch('771')
    tested.reconciler.start()
    await tested.advance(14 * MINUTE)
    await tested.receiveCallback('771', 'DELIVERED')
    await tested.advance(HOUR)
    expect(tested.queries).toEqual([])
  })

  it('queries it once if its final receipt is published already, and neither stores nor publishes the answer', async () => {
    const simulator = await fixtures.simulator()
    simulator.setStatus('771', 'DELIVERED')
    const tested = fixtures.reconciler(simulator.url)
    await tested.receiveCallback('771', 'DELIVERED')
    await tested.advance(SECOND)
    await tested.watch('771')
    tested.reconciler.start()
    await tested.advance(2 * HOUR)
    expect(tested.queries).toHaveLength(1)
    expect(tested.receipts).toEqual(['771 DELIVERED CALLBACK'])
    expect(tested.outcomes).toHaveLength(1)
    expect(tested.observer.knownItems).toBe(1)
    expect(tested.watched).toEqual([])
  })

  it('publishes its receipts in order of arrival when the status runs backwards', async () => {
    const simulator = await fixtures.simulator()
    const tested = fixtures.reconciler(simulator.url, { after: 0 })
    await tested.watch('771')
    simulator.setStatus('771', 'BUFFERED')
    tested.reconciler.start()
    await tested.advance(SECOND)
    await tested.receiveCallback('771', 'DELIVERED')
    await tested.receiveCallback('771', 'TRANSMITTED')
    simulator.setStatus('771', 'TRANSMITTED')
    await tested.advance(6 * MINUTE)
    expect(tested.receipts).toEqual(['771 BUFFERED QUERY', '771 DELIVERED CALLBACK', '771 TRANSMITTED CALLBACK'])
  })

  it('watches it until giveUpAfter if the provider has no status of it, then gives it up and counts it', async () => {
    const simulator = await fixtures.simulator()
    simulator.setStatus('771', null)
    const tested = fixtures.reconciler(simulator.url, { every: HOUR, giveUpAfter: 6 * HOUR })
    await tested.watch('771', '999')
    tested.reconciler.start()
    await tested.advance(24 * HOUR)
    expect(tested.queries.length).toBeGreaterThanOrEqual(5)
    expect(tested.queries.length).toBeLessThanOrEqual(6)
    expect(tested.watched).toEqual([])
    expect(tested.observer.givenUp).toBe(2)
    expect(tested.log.linesAt('info')).toHaveLength(1)
    expect(JSON.stringify(tested.log.lines)).not.toContain('771')
    expect(tested.outcomes).toEqual([])
  })

  it('queries it once more after giveUpAfter if the connector was down before', async () => {
    const simulator = await fixtures.simulator()
    simulator.setStatus('771', 'DELIVERED')
    const tested = fixtures.reconciler(simulator.url, { giveUpAfter: 6 * HOUR })
    await tested.watch('771', '999')
    await tested.clock.advance(8 * HOUR)
    tested.reconciler.start()
    await tested.advance(HOUR)
    expect(tested.receipts).toEqual(['771 DELIVERED QUERY'])
    expect(tested.queries.map(({ ids }) => ids)).toEqual([['771', '999']])
    expect(tested.observer.givenUp).toBe(1)
  })

  it('keeps its schedule across a restart', async () => {
    const simulator = await fixtures.simulator()
    const first = fixtures.reconciler(simulator.url)
    const began = first.clock.now()
    await first.watch('771')
    first.reconciler.start()
    await first.advance(17 * MINUTE)
    await first.stop()
    const second = fixtures.reconciler(simulator.url, {}, first)
    second.reconciler.start()
    await second.advance(6 * MINUTE)
    const times = [...first.queries, ...second.queries].map(({ at }) => (at - began) / MINUTE)
    expect(times).toEqual([15, 20])
  })
})

describe('Reconciler with status queries', () => {
  it('names as many messages in one query as the provider accepts', async () => {
    const simulator = await fixtures.simulator()
    const ids = Array.from({ length: 250 }, (_, i) => String(7_700 + i))
    for (const id of ids) simulator.setStatus(id, 'DELIVERED')
    const tested = fixtures.reconciler(simulator.url)
    await tested.watch(...ids)
    tested.reconciler.start()
    await tested.advance(HOUR)
    expect(tested.queries.map((query) => query.ids.length)).toEqual([100, 100, 50])
    expect(tested.receipts.map((each) => each.split(' ')[0]).sort()).toEqual(ids)
  })

  it('keeps request lines short when ids are unusually long', async () => {
    const simulator = await fixtures.simulator()
    const tested = fixtures.reconciler(simulator.url)
    await tested.watch(...Array.from({ length: 20 }, (_, i) => `${i}${'é'.repeat(100)}`))
    tested.reconciler.start()
    await tested.advance(HOUR)
    expect(tested.queries.length).toBeGreaterThan(5)
    for (const { query } of simulator.requests) expect(query.length).toBeLessThan(2_000)
  })

  it('queries one message at a time if the provider refuses several, and tries several again after an hour', async () => {
    const refuses = (ids: readonly string[]) =>
      ids.length > 1 ? { body: '"600"' } : { type: 'text/plain', body: 'BUFFERED\n1605878104' }
    const { url, queries } = await startStatusApi(refuses)
    const tested = fixtures.reconciler(url, { every: 10 * MINUTE })
    await tested.watch('1', '2', '3')
    tested.reconciler.start()
    await tested.advance(30 * MINUTE)
    expect(queries).toEqual([['1', '2', '3'], ['1'], ['2'], ['3'], ['1'], ['2'], ['3']])
    expect(tested.receipts).toEqual(['1 BUFFERED QUERY', '2 BUFFERED QUERY', '3 BUFFERED QUERY'])
    await tested.advance(HOUR)
    expect(queries.filter((ids) => ids.length > 1)).toHaveLength(2)
    expect(tested.log.linesAt('warn')).toEqual([])
  })

  it('repeats the query for each message if the answer does not name the message', async () => {
    const { url, queries } = await startStatusApi(() => ({ type: 'text/plain', body: 'DELIVERED\n1605878104' }))
    const tested = fixtures.reconciler(url)
    await tested.watch('1', '2')
    tested.reconciler.start()
    await tested.advance(HOUR)
    expect(queries).toEqual([['1', '2'], ['1'], ['2']])
    expect(tested.receipts).toEqual(['1 DELIVERED QUERY', '2 DELIVERED QUERY'])
    expect(tested.events.filter(({ kind }) => kind === 'dead-letter')).toEqual([])
  })

  it('queries a refused message alone from then on, and the others together', async () => {
    const { url, queries } = await startStatusApi((ids) =>
      ids.includes('bad')
        ? { status: 400, body: 'no' }
        : { body: JSON.stringify(ids.map((id) => ({ id, status: null }))) },
    )
    const tested = fixtures.reconciler(url)
    await tested.watch('a', 'bad', 'c')
    tested.reconciler.start()
    await tested.advance(26 * MINUTE)
    expect(queries).toEqual([['a', 'bad', 'c'], ['a'], ['bad'], ['c'], ['bad'], ['a', 'c'], ['bad'], ['a', 'c']])
    expect(tested.log.linesAt('warn')).toEqual([])
  })

  it('reports an error and retries with growing delay if every query is refused', async () => {
    const { url, queries } = await startStatusApi(() => ({ status: 404, body: 'gone' }))
    const tested = fixtures.reconciler(url)
    await tested.watch('a', 'b', 'c', 'd', 'e', 'f')
    tested.reconciler.start()
    await tested.advance(2 * HOUR)
    expect(queries.length).toBeLessThan(60)
    expect(tested.observer.last).toMatchObject({
      state: 'failing',
      lastError: expect.stringContaining('404') as string,
    })
    const [, ...reminders] = tested.log.linesAt('warn')
    for (const { message } of reminders) expect(message).toMatch(/growing delays; this has lasted for \d/)
  })

  it('accepts the old answer format in plain text for one message', async () => {
    const simulator = await fixtures.simulator({ statusAnswer: 'text' })
    simulator.setStatus('771', 'EXPIRED')
    const tested = fixtures.reconciler(simulator.url)
    await tested.watch('771')
    tested.reconciler.start()
    await tested.advance(HOUR)
    expect(tested.receipts).toEqual(['771 EXPIRED QUERY'])
    const [event] = tested.events
    expect(event).toMatchObject({ raw: { msg_id: '771', status: 'EXPIRED' } })
  })
})

describe('Reconciler with an answer', () => {
  it('journals it unchanged with the facts of its request, but without the API key', async () => {
    const simulator = await fixtures.simulator()
    simulator.setStatus('771', 'DELIVERED')
    const tested = fixtures.reconciler(simulator.url)
    const resume = tested.holdPublishing()
    await tested.watch('771')
    tested.reconciler.start()
    await tested.advance(16 * MINUTE)
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
    resume()
  })

  it('does not store the same items a second time while they wait in the journal for Kafka', async () => {
    const simulator = await fixtures.simulator()
    simulator.setStatus('771', 'BUFFERED')
    simulator.setStatus('772', 'DELIVERED')
    const tested = fixtures.reconciler(simulator.url)
    const resume = tested.holdPublishing()
    await tested.watch('771', '772')
    tested.reconciler.start()
    await tested.advance(5 * HOUR)
    expect(tested.journal.stats().entries).toBe(1)
    expect(tested.queries.length).toBeGreaterThan(40)
    simulator.setStatus('771', 'DELIVERED')
    await tested.advance(10 * MINUTE)
    expect(tested.journal.stats().entries).toBe(2)
    resume()
    await tested.untilQuiet()
    expect(tested.receipts).toEqual(['771 BUFFERED QUERY', '772 DELIVERED QUERY', '771 DELIVERED QUERY'])
    expect(tested.watched).toEqual([])
  })

  it('stores the whole answer if one of its items is new', async () => {
    const simulator = await fixtures.simulator()
    for (const id of ['1', '2', '3']) simulator.setStatus(id, 'BUFFERED')
    const tested = fixtures.reconciler(simulator.url)
    await tested.watch('1', '2', '3')
    tested.reconciler.start()
    await tested.advance(16 * MINUTE)
    simulator.setStatus('2', 'DELIVERED')
    await tested.advance(5 * MINUTE)
    expect(tested.receipts).toEqual(['1 BUFFERED QUERY', '2 BUFFERED QUERY', '3 BUFFERED QUERY', '2 DELIVERED QUERY'])
    expect(tested.outcomes.map(({ kind }) => kind)).toEqual(['dlr', 'dlr', 'dlr', 'duplicate', 'dlr', 'duplicate'])
    expect(tested.watched).toEqual(['1', '3'])
  })

  it('publishes one dead letter of a 2xx that is no answer, and reports an error until there is an answer', async () => {
    let body = '<html>maintenance</html>'
    const { url, queries } = await startStatusApi((ids) => ({
      type: 'text/html',
      body: body === '' ? delivered(ids) : body,
    }))
    const tested = fixtures.reconciler(url)
    await tested.watch('1')
    tested.reconciler.start()
    await tested.advance(HOUR)
    expect(queries.length).toBeGreaterThan(5)
    expect(tested.events).toMatchObject([{ kind: 'dead-letter', reason: 'not-a-report' }])
    expect(tested.observer.last?.state).toBe('failing')
    body = ''
    await tested.advance(10 * MINUTE)
    expect(tested.receipts).toEqual(['1 DELIVERED QUERY'])
    expect(tested.observer.last?.state).toBe('ok')
  })
})
