import { afterEach, describe, expect, it } from 'vitest'
import { gunzipSync } from 'node:zlib'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { call } from '../support/call.js'
import { turnUntil } from '../support/event-loop.js'
import { IDLE_DELAY_MS, mtargetWith, PollerFixture, type TestedPoller } from '../support/poller.js'

const fixture = new PollerFixture()
const data = new ProviderData(7)
afterEach(() => fixture.stopAll())

/** Creates a poller on whose clock each page takes `ms` from its request until it is durable. */
const createPollerWithRoundTrip = (url: string, ms: number): TestedPoller => {
  const { inspect } = mtargetWith().pull
  const tested: TestedPoller = fixture.createPoller(
    url,
    {},
    mtargetWith({
      inspect: (received) => {
        void tested.clock.advance(ms)
        return inspect(received)
      },
    }),
  )
  return tested
}

const rowsOf = (body: string): unknown[] => (JSON.parse(body) as { results: unknown[] }).results

describe('Poller emptying a queue', () => {
  it('stores every row in order, page after page, and waits idleDelay when the queue is empty', async () => {
    const simulator = await fixture.startSimulator()
    const rows = data.mtargetMix(1_000)
    simulator.enqueue(rows)
    const { poller, journal, observer, ...tested } = fixture.createPoller(simulator.url)
    poller.start()
    expect(await tested.clock.untilSleeping()).toBe(IDLE_DELAY_MS)
    expect(journal.entries.flatMap((entry) => rowsOf(Buffer.from(entry.body).toString()))).toEqual(rows)
    expect(observer.outcomes.at(-1)).toBe('empty')
    expect(observer.lastState?.state).toBe('idle')
    expect(observer.lastState?.nextAt).toBe(tested.clock.now() + IDLE_DELAY_MS)
  })

  it('raises the page size to limit.itemsPerSecond × round trip and returns to limit.start for the next burst', async () => {
    const simulator = await fixture.startSimulator()
    simulator.enqueue(data.mtargetReceipts(4_000))
    const tested = createPollerWithRoundTrip(simulator.url, 100)
    tested.poller.start()
    await tested.untilPaused()
    const limits = simulator.answers.map((answer) => answer.limit)
    expect(limits.filter((limit, page) => limit !== limits[page - 1])).toEqual([50, 75, 113, 100])
    simulator.enqueue(data.mtargetReceipts(50))
    await tested.untilNextPause()
    expect(simulator.answers.at(-2)?.limit).toBe(50)
  })

  it('measures the round trip without the time during which the journal has no room', async () => {
    const simulator = await fixture.startSimulator()
    simulator.enqueue(data.mtargetReceipts(50 * 5 + 1))
    const tested = createPollerWithRoundTrip(simulator.url, 40)
    let requests = 0
    tested.journal.hasRoomFor = () => {
      requests++
      return requests !== 3
    }
    tested.poller.start()
    await tested.untilPaused()
    expect(tested.observer.lastState?.state).toBe('journal-full')
    await tested.clock.advance(1_000)
    await tested.observer.until(() => tested.observer.outcomes.at(-1) === 'empty')
    expect(simulator.answers.map((answer) => answer.limit)).toEqual([50, 50, 50, 50, 50, 40, 40])
  })

  it('reports the items that the request under way asks for until the answer is durable', async () => {
    const simulator = await fixture.startSimulator()
    simulator.enqueue(data.mtargetReceipts(5))
    const tested = fixture.createPoller(simulator.url)
    tested.poller.start()
    await tested.untilJournalRefuses()
    expect(tested.observer.lastState).toMatchObject({ state: 'journal-refuses', inFlightItems: 50 })
    tested.journal.refuses = undefined
    await tested.untilNextPause()
    expect(tested.observer.states[0]).toMatchObject({ state: 'asking', inFlightItems: 50 })
    expect(tested.observer.lastState).toMatchObject({ state: 'idle', inFlightItems: 0 })
    await tested.poller.stop()
    expect(tested.observer.lastState).toMatchObject({ state: 'stopped', inFlightItems: 0 })
  })

  it('stores the facts of request and answer with each page, without the credentials', async () => {
    const simulator = await fixture.startSimulator()
    simulator.enqueue(data.mtargetReceipts(1))
    const tested = fixture.createPoller(`${simulator.url}?zone=fr&login=demo&key=a%73ecret`)
    tested.poller.start()
    await tested.untilPaused()
    const [entry] = tested.journal.entries
    expect(entry).toMatchObject({ source: 'mtarget-fr', provider: 'mtarget', via: 'PULL' })
    expect(entry?.receivedAt).toBe(tested.clock.now())
    expect(entry?.facts).toEqual({
      method: 'POST',
      path: '/notification',
      query: 'zone=fr&login=&key=',
      'content-type': 'application/json',
      status: '200',
    })
  })

  it('stores nothing for an empty page', async () => {
    const simulator = await fixture.startSimulator()
    for (const body of ['{"results":[]}', ' {\n"results" : [ ]\r\n}\n']) simulator.fault({ body })
    const tested = fixture.createPoller(simulator.url)
    tested.poller.start()
    expect(await tested.untilPaused()).toBe(IDLE_DELAY_MS)
    expect(await tested.untilNextPause()).toBe(IDLE_DELAY_MS)
    expect(tested.journal.attempts).toBe(0)
  })

  it('sends the next request only when the page is durable', async () => {
    const simulator = await fixture.startSimulator()
    simulator.enqueue(data.mtargetReceipts(120))
    const tested = fixture.createPoller(simulator.url)
    const release = tested.journal.hold()
    tested.poller.start()
    await turnUntil(() => tested.journal.attempts > 0)
    // A complete exchange on another connection gives the simulator time to receive a second request, if one was sent.
    expect((await call(simulator.url)).status).toBe(405)
    expect(simulator.answers).toHaveLength(1)
    release()
    await tested.untilPaused()
    expect(simulator.answers.length).toBeGreaterThan(1)
  })
})

describe('Poller receiving an answer', () => {
  it('stores the part of a page that arrived before the connection died, and halves the page size', async () => {
    const simulator = await fixture.startSimulator()
    simulator.enqueue(data.mtargetReceipts(50))
    simulator.fault({ destroyAfterBytes: 3_000 })
    const tested = fixture.createPoller(simulator.url)
    tested.poller.start()
    await tested.untilPaused()
    const [entry] = tested.journal.entries
    expect(entry?.body.byteLength).toBe(3_000)
    expect(entry?.facts.complete).toBe('false')
    expect(tested.observer.outcomes).toEqual(['cut'])
    expect(tested.observer.pageSizes.at(-1)).toBe(25)
  })

  it('stores a single byte that arrived before the connection died', async () => {
    const simulator = await fixture.startSimulator()
    simulator.enqueue(data.mtargetReceipts(1))
    simulator.fault({ destroyAfterBytes: 1 })
    const tested = fixture.createPoller(simulator.url)
    tested.poller.start()
    await tested.untilPaused()
    expect(tested.bodies).toEqual(['{'])
  })

  it('stores exactly the first maxAnswer bytes of a longer answer', async () => {
    const simulator = await fixture.startSimulator()
    simulator.enqueue(data.mtargetReceipts(50))
    simulator.fault({ endless: true })
    const tested = fixture.createPoller(simulator.url, { maxAnswer: 100_000 })
    tested.poller.start()
    await tested.untilPaused()
    expect(tested.journal.entries[0]?.body.byteLength).toBe(100_000)
    expect(tested.journal.entries[0]?.facts.complete).toBe('false')
  })

  it('stores the part of a page that arrived before no byte came for `timeout`', async () => {
    const simulator = await fixture.startSimulator()
    simulator.enqueue(data.mtargetReceipts(50))
    simulator.fault({ pieces: { bytes: 2_000, pauseMs: 60_000 } })
    const tested = fixture.createPoller(simulator.url, { timeout: 300 })
    tested.poller.start()
    await tested.untilPaused()
    expect(tested.journal.entries[0]?.body.byteLength).toBe(2_000)
    expect(tested.journal.entries[0]?.facts.complete).toBe('false')
  })

  it('stores a complete page although the whole answer took longer than `timeout`', async () => {
    const simulator = await fixture.startSimulator()
    simulator.enqueue(data.mtargetReceipts(10))
    simulator.fault({ pieces: { bytes: 200, pauseMs: 150 } })
    const tested = fixture.createPoller(simulator.url, { timeout: 600 })
    const startedAt = performance.now()
    tested.poller.start()
    await tested.untilPaused()
    expect(performance.now() - startedAt).toBeGreaterThan(600)
    expect(tested.observer.outcomes).toEqual(['page', 'empty'])
    expect(tested.journal.entries[0]?.facts.complete).toBeUndefined()
  })

  it('stores a compressed page as it came', async () => {
    const simulator = await fixture.startSimulator()
    const rows = data.mtargetReceipts(20)
    simulator.enqueue(rows)
    simulator.fault({ gzip: true })
    const tested = fixture.createPoller(simulator.url)
    tested.poller.start()
    await tested.untilPaused()
    const [entry] = tested.journal.entries
    expect(entry?.facts['content-encoding']).toBe('gzip')
    expect(rowsOf(gunzipSync(entry?.body ?? new Uint8Array()).toString())).toEqual(rows)
    expect(tested.observer.outcomes).toEqual(['page', 'empty'])
  })

  it('stores a page that comes with an error status', async () => {
    const simulator = await fixture.startSimulator()
    const rows = data.mtargetReceipts(3)
    simulator.enqueue(rows)
    simulator.fault({ status: 500, keepPage: true })
    const tested = fixture.createPoller(simulator.url)
    tested.poller.start()
    expect(await tested.untilPaused()).toBe(IDLE_DELAY_MS)
    expect(rowsOf(tested.bodies[0] ?? '')).toEqual(rows)
    expect(tested.journal.entries[0]?.facts.status).toBe('500')
  })

  it('stores an answer with status 200 that is not a page', async () => {
    const simulator = await fixture.startSimulator()
    simulator.fault({ body: '<html>maintenance</html>' })
    simulator.fault({ body: '' })
    const tested = fixture.createPoller(simulator.url)
    tested.poller.start()
    expect(await tested.untilPaused()).toBeLessThan(IDLE_DELAY_MS)
    await tested.untilNextPause()
    expect(tested.bodies).toEqual(['<html>maintenance</html>', ''])
    expect(tested.observer.outcomes).toEqual(['not-a-page', 'not-a-page'])
  })

  it('stores nothing of an answer that has an error status and is not a page', async () => {
    const simulator = await fixture.startSimulator()
    simulator.fault({ status: 502 })
    const tested = fixture.createPoller(simulator.url)
    tested.poller.start()
    await tested.untilPaused()
    expect(tested.journal.attempts).toBe(0)
    expect(tested.observer.outcomes).toEqual(['account-error'])
  })
})

describe('Poller with a journal that refuses entries', () => {
  it('holds the page, retries until the journal accepts it, and requests nothing in between', async () => {
    const simulator = await fixture.startSimulator()
    simulator.enqueue(data.mtargetReceipts(60))
    const tested = fixture.createPoller(simulator.url)
    tested.poller.start()
    await tested.untilJournalRefuses()
    for (let attempt = 1; attempt <= 30; attempt++) {
      await tested.clock.advance(await tested.untilPaused())
      expect(simulator.answers).toHaveLength(1)
    }
    expect(tested.observer.lastState?.state).toBe('journal-refuses')
    expect(tested.log.linesAt('error').length).toBeGreaterThan(1)
    expect(tested.log.linesAt('error').length).toBeLessThan(5)
    tested.journal.refuses = undefined
    await tested.clock.advance(await tested.untilPaused())
    expect(await tested.untilPaused()).toBe(IDLE_DELAY_MS)
    expect(rowsOf(tested.bodies[0] ?? '')).toHaveLength(50)
    expect(tested.journal.entries).toHaveLength(2)
  })

  it('requests no page while the journal has no room for it', async () => {
    const simulator = await fixture.startSimulator()
    simulator.enqueue(data.mtargetReceipts(5))
    const tested = fixture.createPoller(simulator.url)
    tested.journal.hasRoom = false
    tested.poller.start()
    for (let check = 1; check <= 5; check++) await tested.clock.advance(await tested.untilPaused())
    expect(simulator.answers).toHaveLength(0)
    expect(tested.observer.lastState?.state).toBe('journal-full')
    expect(tested.log.linesAt('warn')).toHaveLength(1)
    for (let second = 0; second < 900; second++) await tested.clock.advance(await tested.untilPaused())
    expect(tested.log.linesAt('warn').map(({ message }) => message.replace(/^.*; /, ''))).toEqual([
      'pulling waits because the journal has no room for an answer of maxAnswer bytes',
      'this has lasted for 5 min',
      'this has lasted for 10 min',
      'this has lasted for 15 min',
    ])
    tested.journal.hasRoom = true
    await tested.clock.advance(await tested.untilPaused())
    await tested.clock.untilSleeping((ms) => ms === IDLE_DELAY_MS)
    expect(tested.journal.entries).toHaveLength(1)
  })

  it('logs a page as lost when the shutdown is forced', async () => {
    const simulator = await fixture.startSimulator()
    simulator.enqueue(data.mtargetReceipts(5))
    const tested = fixture.createPoller(simulator.url)
    tested.poller.start()
    await tested.untilJournalRefuses()
    await tested.poller.stop(AbortSignal.abort())
    expect(tested.log.linesAt('error').at(-1)?.message).toContain('LOST')
  })

  it('makes one last attempt to store a page when the shutdown is forced', async () => {
    const simulator = await fixture.startSimulator()
    simulator.enqueue(data.mtargetReceipts(5))
    const tested = fixture.createPoller(simulator.url)
    tested.poller.start()
    await tested.untilJournalRefuses()
    tested.journal.refuses = undefined
    await tested.poller.stop(AbortSignal.abort())
    expect(tested.journal.entries).toHaveLength(1)
  })
})
