import { afterEach, describe, expect, it } from 'vitest'
import { gunzipSync } from 'node:zlib'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { IDLE, PollerBench } from '../support/poller.js'

const bench = new PollerBench()
const data = new ProviderData(7)
afterEach(() => bench.stopAll())

const rowsOf = (body: string): unknown[] => (JSON.parse(body) as { results: unknown[] }).results

describe('a queue is emptied', () => {
  it('page after page, every row into the journal in order, and waits idleDelay when it is empty', async () => {
    const simulator = await bench.simulator()
    const rows = data.mtargetMix(1_000)
    simulator.enqueue(rows)
    const { poller, journal, observer, ...tested } = bench.poller(simulator.url)
    poller.start()
    expect(await tested.clock.untilSleeping()).toBe(IDLE)
    expect(journal.entries.flatMap((entry) => rowsOf(Buffer.from(entry.body).toString()))).toEqual(rows)
    expect(observer.outcomes.at(-1)).toBe('empty')
    expect(observer.last?.state).toBe('idle')
    expect(observer.last?.nextAt).toBe(tested.clock.now() + IDLE)
  })

  it('with a page size that doubles while pages come full, and starts anew for the next burst', async () => {
    const simulator = await bench.simulator()
    simulator.enqueue(data.mtargetReceipts(4_000))
    const tested = bench.poller(simulator.url)
    tested.poller.start()
    await tested.paused()
    expect(simulator.answers.map((answer) => answer.limit).slice(0, 7)).toEqual([50, 100, 200, 400, 800, 1000, 1000])
    simulator.enqueue(data.mtargetReceipts(50))
    await tested.nextPause()
    expect(simulator.answers.at(-2)?.limit).toBe(50)
  })

  it('with facts that say how each page came, and never the credentials', async () => {
    const simulator = await bench.simulator()
    simulator.enqueue(data.mtargetReceipts(1))
    const tested = bench.poller(`${simulator.url}?zone=fr&login=demo&key=a%73ecret`)
    tested.poller.start()
    await tested.paused()
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

  it('and an empty page is not kept', async () => {
    const simulator = await bench.simulator()
    for (const body of ['{"results":[]}', ' {\n"results" : [ ]\r\n}\n']) simulator.fault({ body })
    const tested = bench.poller(simulator.url)
    tested.poller.start()
    expect(await tested.paused()).toBe(IDLE)
    expect(await tested.nextPause()).toBe(IDLE)
    expect(tested.journal.attempts).toBe(0)
  })

  it('but the next request waits until the page is durable', async () => {
    const simulator = await bench.simulator()
    simulator.enqueue(data.mtargetReceipts(120))
    const tested = bench.poller(simulator.url)
    const letGo = tested.journal.hold()
    tested.poller.start()
    while (tested.journal.attempts === 0) await new Promise((resolve) => setImmediate(resolve))
    // Time enough for a second request, were there one: as many turns as the first one took, and more.
    for (let turn = 0; turn < 2_000; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(simulator.answers).toHaveLength(1)
    letGo()
    await tested.paused()
    expect(simulator.answers.length).toBeGreaterThan(1)
  })
})

describe('what arrived of a page is kept', () => {
  it('when the connection dies in the middle', async () => {
    const simulator = await bench.simulator()
    simulator.enqueue(data.mtargetReceipts(50))
    simulator.fault({ destroyAfterBytes: 3_000 })
    const tested = bench.poller(simulator.url)
    tested.poller.start()
    await tested.paused()
    const [entry] = tested.journal.entries
    expect(entry?.body.byteLength).toBe(3_000)
    expect(entry?.facts.complete).toBe('false')
    expect(tested.observer.outcomes).toEqual(['cut'])
    expect(tested.observer.limits.at(-1)).toBe(25)
  })

  it('when it died after one byte', async () => {
    const simulator = await bench.simulator()
    simulator.enqueue(data.mtargetReceipts(1))
    simulator.fault({ destroyAfterBytes: 1 })
    const tested = bench.poller(simulator.url)
    tested.poller.start()
    await tested.paused()
    expect(tested.bodies).toEqual(['{'])
  })

  it('when it is longer than maxAnswer: up to there to the byte', async () => {
    const simulator = await bench.simulator()
    simulator.enqueue(data.mtargetReceipts(50))
    simulator.fault({ endless: true })
    const tested = bench.poller(simulator.url, { maxAnswer: 100_000 })
    tested.poller.start()
    await tested.paused()
    expect(tested.journal.entries[0]?.body.byteLength).toBe(100_000)
    expect(tested.journal.entries[0]?.facts.complete).toBe('false')
  })

  it('when no byte comes any more for `timeout`', async () => {
    const simulator = await bench.simulator()
    simulator.enqueue(data.mtargetReceipts(50))
    simulator.fault({ pieces: { bytes: 2_000, pauseMs: 60_000 } })
    const tested = bench.poller(simulator.url, { timeout: 300 })
    tested.poller.start()
    await tested.paused()
    expect(tested.journal.entries[0]?.body.byteLength).toBe(2_000)
    expect(tested.journal.entries[0]?.facts.complete).toBe('false')
  })

  it('but an answer that drips for longer than `timeout` in all is complete', async () => {
    const simulator = await bench.simulator()
    simulator.enqueue(data.mtargetReceipts(10))
    simulator.fault({ pieces: { bytes: 200, pauseMs: 150 } })
    const tested = bench.poller(simulator.url, { timeout: 600 })
    const began = performance.now()
    tested.poller.start()
    await tested.paused()
    expect(performance.now() - began).toBeGreaterThan(600)
    expect(tested.observer.outcomes).toEqual(['page', 'empty'])
    expect(tested.journal.entries[0]?.facts.complete).toBeUndefined()
  })

  it('compressed, as it came', async () => {
    const simulator = await bench.simulator()
    const rows = data.mtargetReceipts(20)
    simulator.enqueue(rows)
    simulator.fault({ gzip: true })
    const tested = bench.poller(simulator.url)
    tested.poller.start()
    await tested.paused()
    const [entry] = tested.journal.entries
    expect(entry?.facts['content-encoding']).toBe('gzip')
    expect(rowsOf(gunzipSync(entry?.body ?? new Uint8Array()).toString())).toEqual(rows)
    expect(tested.observer.outcomes).toEqual(['page', 'empty'])
  })

  it('with an error status, when it is a page', async () => {
    const simulator = await bench.simulator()
    const rows = data.mtargetReceipts(3)
    simulator.enqueue(rows)
    simulator.fault({ status: 500, keepPage: true })
    const tested = bench.poller(simulator.url)
    tested.poller.start()
    expect(await tested.paused()).toBe(IDLE)
    expect(rowsOf(tested.bodies[0] ?? '')).toEqual(rows)
    expect(tested.journal.entries[0]?.facts.status).toBe('500')
  })

  it('with status 200, when it is none', async () => {
    const simulator = await bench.simulator()
    simulator.fault({ body: '<html>maintenance</html>' })
    simulator.fault({ body: '' })
    const tested = bench.poller(simulator.url)
    tested.poller.start()
    expect(await tested.paused()).toBeLessThan(IDLE)
    await tested.nextPause()
    expect(tested.bodies).toEqual(['<html>maintenance</html>', ''])
    expect(tested.observer.outcomes).toEqual(['not-a-page', 'not-a-page'])
  })

  it('and not with an error status when it is none', async () => {
    const simulator = await bench.simulator()
    simulator.fault({ status: 502 })
    const tested = bench.poller(simulator.url)
    tested.poller.start()
    await tested.paused()
    expect(tested.journal.attempts).toBe(0)
    expect(tested.observer.outcomes).toEqual(['account-error'])
  })
})

describe('a page that the journal refuses', () => {
  it('is held and handed in again until it is taken, and nothing more is asked for meanwhile', async () => {
    const simulator = await bench.simulator()
    simulator.enqueue(data.mtargetReceipts(60))
    const tested = bench.poller(simulator.url)
    tested.poller.start()
    await tested.refusing()
    for (let tries = 1; tries <= 30; tries++) {
      await tested.clock.advance(await tested.paused())
      expect(simulator.answers).toHaveLength(1)
    }
    expect(tested.observer.last?.state).toBe('journal-refuses')
    expect(tested.log.linesAt('error').length).toBeGreaterThan(1)
    expect(tested.log.linesAt('error').length).toBeLessThan(5)
    tested.journal.refuses = undefined
    await tested.clock.advance(await tested.paused())
    expect(await tested.paused()).toBe(IDLE)
    expect(rowsOf(tested.bodies[0] ?? '')).toHaveLength(50)
    expect(tested.journal.entries).toHaveLength(2)
  })

  it('is not even asked for when there is no room for it', async () => {
    const simulator = await bench.simulator()
    simulator.enqueue(data.mtargetReceipts(5))
    const tested = bench.poller(simulator.url)
    tested.journal.room = false
    tested.poller.start()
    for (let looks = 0; looks < 5; looks++) await tested.clock.advance(await tested.paused())
    expect(simulator.answers).toHaveLength(0)
    expect(tested.observer.last?.state).toBe('journal-full')
    expect(tested.log.linesAt('warn')).toHaveLength(1)
    tested.journal.room = true
    await tested.clock.advance(await tested.paused())
    await tested.clock.untilSleeping((ms) => ms === IDLE)
    expect(tested.journal.entries).toHaveLength(1)
  })

  it('is said to be lost when shutdown can not wait', async () => {
    const simulator = await bench.simulator()
    simulator.enqueue(data.mtargetReceipts(5))
    const tested = bench.poller(simulator.url)
    tested.poller.start()
    await tested.refusing()
    await tested.poller.stop(AbortSignal.abort())
    expect(tested.log.linesAt('error').at(-1)?.message).toContain('LOST')
  })
})
