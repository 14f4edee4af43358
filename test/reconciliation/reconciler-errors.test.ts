import { createServer, type AddressInfo, type Socket } from 'node:net'
import { brotliCompressSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { staysPending, turnUntil } from '../support/event-loop.js'
import { MemoryJournal } from '../support/memory-journal.js'
import { ManualClock } from '../support/manual-clock.js'
import { berlinTime, inboundRow, outboundRow } from '../../dev/simulators/seven-log.js'
import { HOUR, MINUTE, ReconcilerFixtures, SECOND } from '../support/reconciler.js'

const fixtures = new ReconcilerFixtures()
const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await fixtures.stopAll()
  await Promise.all(closers.splice(0).map((close) => close()))
})

/** Starts a provider that serves each connection with the given function. */
const startProvider = async (serve: (socket: Socket, request: string) => void) => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    socket.on('data', (bytes) => serve(socket, bytes.toString()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`, sockets }
}

const EMPTY_LOG = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]'

describe('Reconciler with a rate-limited account', () => {
  it.each([
    [1, 1],
    [3, 60],
  ])(
    'sends no request of any kind before Retry-After has passed (%i answers 429 with Retry-After %i)',
    async (times, seconds) => {
      const simulator = await fixtures.simulator()
      simulator.outbound.push(outboundRow('771', 'DELIVERED', berlinTime(new ManualClock().now())))
      simulator.refuseRequests(times, seconds)
      const tested = fixtures.reconciler(simulator.url)
      const began = tested.clock.now()
      tested.reconciler.start()
      await tested.advance(10 * MINUTE)
      const requestTimes = tested.logRequests.map(({ at }) => at - began)
      for (let i = 0; i < times; i++) {
        expect((requestTimes[i + 1] as number) - (requestTimes[i] as number)).toBeGreaterThanOrEqual(seconds * SECOND)
      }
      expect(tested.receipts).toEqual(['771 DELIVERED QUERY'])
      expect(tested.observer.last?.state).toBe('ok')
      expect(tested.log.linesAt('warn')).toHaveLength(1)
      expect(tested.log.linesAt('info').map(({ message }) => message)).toEqual(['reconciling works again'])
    },
  )

  it('never sends more than requestsPerSecond, and serves its three tasks in turn', async () => {
    const simulator = await fixtures.simulator()
    const now = new ManualClock().now()
    for (let i = 0; i < 950; i++) {
      simulator.outbound.push(outboundRow(`77${i}`, 'DELIVERED', berlinTime(now)))
      simulator.inbound.push(inboundRow(`88${i}`, berlinTime(now)))
    }
    const tested = fixtures.reconciler(simulator.url, { requestsPerSecond: 3, after: 0 })
    await tested.watch(...Array.from({ length: 950 }, (_, i) => `99${i}`))
    tested.reconciler.start()
    await tested.advance(20 * SECOND)
    const all = [...tested.queries, ...tested.logRequests].map(({ at }) => at).sort((a, b) => a - b)
    expect(all).toHaveLength(32)
    for (const [i, at] of all.entries()) if (i > 0) expect(at - (all[i - 1] as number)).toBeGreaterThanOrEqual(333)
    const ends = [tested.queries, tested.logRequests.filter(({ url }) => url.pathname.endsWith('inbound'))]
    for (const each of ends) expect(each.at(-1)?.at).toBeGreaterThan(now + 8 * SECOND)
  })
})

describe('Reconciler with a wrong API key', () => {
  it('logs the error and reminds of it, shows it in its state, retries with growing delay and recovers by itself', async () => {
    const simulator = await fixtures.simulator({ apiKey: 'another' })
    const tested = fixtures.reconciler(simulator.url)
    await tested.watch('771')
    tested.reconciler.start()
    await tested.advance(5 * HOUR)
    const [first, ...reminders] = tested.log.linesAt('warn')
    expect(reminders.length).toBeGreaterThan(30)
    for (const { message } of reminders) expect(message).toMatch(/growing delays; this has lasted for \d/)
    expect(first?.facts).toMatchObject({ outcome: 'refused', source: 'seven-main' })
    expect(tested.observer.last).toMatchObject({
      state: 'failing',
      lastError: expect.stringContaining('900') as string,
    })
    expect(tested.observer.outcomes('outbound').length).toBeLessThan(100)
    expect(new Set(tested.observer.requests.map(({ outcome }) => outcome))).toEqual(new Set(['refused']))
    expect(tested.journal.stats().entries + tested.outcomes.length).toBe(0)
    expect(JSON.stringify(tested.log.lines)).not.toContain('demo-key')
    simulator.setApiKeys('demo-key')
    simulator.setStatus('771', 'DELIVERED')
    await tested.advance(20 * MINUTE)
    expect(tested.receipts).toEqual(['771 DELIVERED QUERY'])
    expect(tested.observer.last).toMatchObject({ state: 'ok', lastError: null })
    expect(tested.log.linesAt('warn')).toHaveLength(1 + reminders.length)
  })

  it('does not slow down the reconcilers of other accounts, and neither does a provider that hangs', async () => {
    const wrong = await fixtures.simulator({ apiKey: 'another' })
    const { url } = await startProvider(() => {})
    const good = await fixtures.simulator()
    good.setStatus('771', 'DELIVERED')
    const clock = new ManualClock()
    const tested = [wrong.url, url, good.url].map((each) => fixtures.reconciler(each, { after: 0 }, { clock }))
    for (const each of tested) {
      await each.watch('771')
      each.reconciler.start()
    }
    const last = tested[2]
    await last?.advance(2 * SECOND)
    expect(last?.receipts).toEqual(['771 DELIVERED QUERY'])
  })
})

describe('Reconciler with a request that fails', () => {
  it.each([
    ['no connection', (socket: Socket) => void socket.resetAndDestroy()],
    ['the connection dies', (socket: Socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[{"id"')],
    ['an error status', (socket: Socket) => void socket.write('HTTP/1.1 502 X\r\ncontent-length: 2\r\n\r\n[]')],
    [
      'a redirect',
      (s: Socket) => void s.write('HTTP/1.1 302 X\r\nlocation: https://x.example/\r\ncontent-length: 0\r\n\r\n'),
    ],
    ['too long', (socket: Socket) => void socket.write(`HTTP/1.1 200 OK\r\n\r\n[${' '.repeat(100_000)}`)],
  ])('stores nothing and retries with growing delay until an answer is complete (%s)', async (_, fail) => {
    let failing = true
    const { url } = await startProvider((socket, request) => {
      if (failing) fail(socket)
      else if (request.includes('/status')) {
        const body = '[{"id":"771","status":"DELIVERED"}]'
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
      } else socket.write(EMPTY_LOG)
    })
    const tested = fixtures.reconciler(url, { after: 0, connection: { timeout: 500, maxAnswer: 50_000 } })
    await tested.watch('771')
    tested.reconciler.start()
    await tested.advance(HOUR)
    expect(tested.queries.length).toBeGreaterThan(10)
    expect(tested.queries.length).toBeLessThan(40)
    expect(tested.outcomes).toEqual([])
    expect(tested.observer.last?.state).toBe('failing')
    failing = false
    await tested.advance(10 * MINUTE)
    expect(tested.receipts).toEqual(['771 DELIVERED QUERY'])
    expect(tested.observer.last?.state).toBe('ok')
  })

  it('reads a compressed answer whose framing is contradictory', async () => {
    const body = brotliCompressSync('[{"id":"771","status":"DELIVERED"}]')
    const head = 'HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n'
    const { url } = await startProvider((socket, request) => {
      if (!request.includes('/status')) return void socket.write(EMPTY_LOG)
      socket.write(Buffer.concat([Buffer.from(`${head}${body.length.toString(16)}\r\n`), body]))
      socket.write('\r\n0\r\n\r\n')
    })
    const tested = fixtures.reconciler(url, { after: 0 })
    await tested.watch('771')
    tested.reconciler.start()
    await tested.advance(MINUTE)
    expect(tested.receipts).toEqual(['771 DELIVERED QUERY'])
    expect(tested.outcomes.map(({ kind }) => kind)).toEqual(['dlr'])
  })

  it('gives up a request after the timeout without a byte', async () => {
    const { url } = await startProvider(() => {})
    const tested = fixtures.reconciler(url, { connection: { timeout: 100, maxAnswer: 50_000 } })
    tested.reconciler.start()
    await tested.advance(SECOND)
    expect(tested.observer.outcomes('outbound')[0]).toBe('timeout')
  })

  it('queries all other messages when one batch makes the provider fail', async () => {
    const { url } = await startProvider((socket, request) => {
      if (!request.includes('/status')) return void socket.write(EMPTY_LOG)
      if (request.includes('poison')) return void socket.write('HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n')
      const ids = (/msg_id=([^ ]*)/.exec(request)?.[1] ?? '').split(',')
      const body = JSON.stringify(ids.map((id) => ({ id, status: 'DELIVERED' })))
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    })
    const tested = fixtures.reconciler(url, { after: 0 })
    await tested.watch('a-poison', ...Array.from({ length: 299 }, (_, i) => `b${i}`))
    tested.reconciler.start()
    await tested.advance(MINUTE)
    expect(tested.receipts).toHaveLength(200)
  })
})

describe('Reconciler with a failing journal', () => {
  it('sends no request while the journal has no room', async () => {
    const simulator = await fixtures.simulator()
    const clock = new ManualClock()
    const journal = new MemoryJournal(clock)
    journal.hasRoom = false
    const tested = fixtures.reconciler(simulator.url, {}, { clock, journal })
    tested.reconciler.start()
    await tested.advance(MINUTE)
    expect(simulator.requests).toEqual([])
    expect(tested.observer.last?.state).toBe('journal-full')
    expect(tested.log.linesAt('warn')).toHaveLength(1)
    journal.hasRoom = true
    await tested.advance(2 * SECOND)
    expect(simulator.requests.length).toBeGreaterThan(0)
    expect(tested.observer.last?.state).toBe('ok')
  })

  it('requests an answer again if the journal refused it', async () => {
    const simulator = await fixtures.simulator()
    simulator.outbound.push(outboundRow('771', 'DELIVERED', berlinTime(new ManualClock().now())))
    const clock = new ManualClock()
    const journal = new MemoryJournal(clock)
    journal.hasRoomFor = () => true
    journal.refuses = 'JOURNAL_FULL'
    const tested = fixtures.reconciler(simulator.url, {}, { clock, journal })
    tested.reconciler.start()
    await tested.advance(MINUTE)
    expect(tested.observer.outcomes('outbound')).toContain('journal-refuses')
    expect(tested.log.linesAt('warn')).toHaveLength(1)
    journal.refuses = undefined
    await tested.advance(5 * MINUTE)
    expect(tested.receipts).toEqual(['771 DELIVERED QUERY'])
  })

  it('reports an error and scans again if the watch list can not be written', async () => {
    const simulator = await fixtures.simulator()
    simulator.outbound.push(outboundRow('771', null, berlinTime(new ManualClock().now())))
    const clock = new ManualClock()
    const journal = new MemoryJournal(clock)
    const add = journal.watchList.add.bind(journal.watchList)
    journal.watchList.add = () => Promise.reject(new Error('the disk is gone'))
    const tested = fixtures.reconciler(simulator.url, {}, { clock, journal })
    tested.reconciler.start()
    await tested.advance(MINUTE)
    expect(tested.observer.last).toMatchObject({ state: 'failing', lastError: 'the disk is gone' })
    expect(simulator.requests.length).toBeLessThan(20)
    journal.watchList.add = add
    await tested.advance(MINUTE)
    expect(tested.watched).toEqual(['771'])
    expect(tested.observer.last?.state).toBe('ok')
  })
})

describe('Reconciler.stop', () => {
  it('aborts a request under way at once', async () => {
    const { url, sockets } = await startProvider(() => {})
    const tested = fixtures.reconciler(url)
    tested.reconciler.start()
    await turnUntil(() => sockets.size > 0)
    await tested.reconciler.stop()
    expect(tested.observer.last?.state).toBe('stopped')
    expect(tested.observer.requests).toEqual([])
    expect(tested.log.lines).toEqual([])
  })

  it('waits for an answer that is being written to the journal', async () => {
    const simulator = await fixtures.simulator()
    simulator.outbound.push(outboundRow('771', 'DELIVERED', berlinTime(new ManualClock().now())))
    const clock = new ManualClock()
    const journal = new MemoryJournal(clock)
    const resume = journal.hold()
    const tested = fixtures.reconciler(simulator.url, {}, { clock, journal })
    tested.reconciler.start()
    await turnUntil(() => journal.attempts > 0)
    const stop = tested.reconciler.stop()
    expect(await staysPending(stop)).toBe(true)
    resume()
    await stop
    expect(journal.entries.length + tested.receipts.length).toBe(1)
  })

  it('ends every sleep', async () => {
    const simulator = await fixtures.simulator()
    const tested = fixtures.reconciler(simulator.url)
    tested.reconciler.start()
    await tested.advance(MINUTE)
    await tested.reconciler.stop()
    expect(tested.clock.sleeps).toEqual([])
  })
})
