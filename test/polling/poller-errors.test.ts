import { afterEach, describe, expect, it } from 'vitest'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { IDLE, PollerBench, withPull } from '../support/poller.js'

const bench = new PollerBench()
const data = new ProviderData(9)
afterEach(() => bench.stopAll())

const wrong = (url: string) => ({
  account: { url, username: 'demo', password: 'wrong', limitParameter: 'max' },
})

describe('wrong credentials', () => {
  it.each([200, 401, 403])(
    'with HTTP status %i are an error of the account: waits grow up to idleDelay',
    async (status) => {
      const simulator = await bench.simulator({ accountErrorStatus: status })
      const tested = bench.poller(simulator.url, wrong(simulator.url))
      tested.poller.start()
      const waits = [await tested.paused()]
      for (let i = 0; i < 11; i++) waits.push(await tested.nextPause())
      expect(waits.slice(0, 4)).toEqual([750, 1_500, 3_000, 6_000])
      expect([...waits].sort((a, b) => a - b)).toEqual(waits)
      expect(waits.at(-1)).toBeLessThanOrEqual(IDLE)
      expect(waits.at(-1)).toBeGreaterThan(IDLE / 2)
      expect(new Set(tested.observer.outcomes)).toEqual(new Set(['account-error']))
    },
  )

  it('are said once when they begin and once when they end, and shown all the time between', async () => {
    const simulator = await bench.simulator()
    for (let i = 0; i < 5; i++) simulator.fault({ body: ERROR_ROW })
    const tested = bench.poller(simulator.url)
    tested.poller.start()
    await tested.paused()
    for (let i = 0; i < 4; i++) {
      expect(tested.observer.last).toMatchObject({
        state: 'backing-off',
        lastError: expect.stringContaining('invalid') as string,
      })
      await tested.nextPause()
    }
    expect(tested.log.linesAt('warn')).toHaveLength(1)
    expect(await tested.nextPause()).toBe(IDLE)
    expect(tested.log.linesAt('warn')).toHaveLength(1)
    expect(tested.log.linesAt('info').map(({ message }) => message)).toEqual(['pulling works again'])
    expect(tested.observer.last?.lastError).toBeNull()
    expect(JSON.stringify(tested.log.lines)).not.toContain('secret')
  })

  it('in a page with rows: the rows are kept, the error is shown, the drain goes on', async () => {
    const simulator = await bench.simulator()
    const [row] = data.mtargetReceipts(1)
    simulator.fault({
      body: JSON.stringify({ results: [row, ...(JSON.parse(ERROR_ROW) as { results: object[] }).results] }),
    })
    const tested = bench.poller(simulator.url)
    tested.poller.start()
    await tested.paused()
    expect(tested.journal.entries).toHaveLength(1)
    expect(tested.observer.outcomes).toEqual(['page', 'empty'])
    expect(tested.log.linesAt('warn')).toHaveLength(1)
  })

  it('of one account leave the others at full pace', async () => {
    const simulator = await bench.simulator()
    const good = await Promise.all(Array.from({ length: 9 }, () => bench.simulator()))
    for (const each of good) each.enqueue(data.mtargetReceipts(300))
    const hanging = await bench.simulator()
    hanging.fault({ hang: 'before' }, 100)
    const failing = bench.poller(simulator.url, wrong(simulator.url))
    const stuck = bench.poller(hanging.url)
    const pollers = good.map((each) => bench.poller(each.url))
    for (const { poller } of [stuck, failing, ...pollers]) poller.start()
    for (const tested of pollers) expect(await tested.paused()).toBe(IDLE)
    expect(good.map((each) => each.queued)).toEqual(good.map(() => 0))
    expect(stuck.observer.outcomes).toEqual([])
  })
})

describe('Retry-After', () => {
  it.each([
    [429, '30', 30_000],
    [503, '30', 30_000],
    [503, '999999', IDLE],
    [429, '0', 750],
    [429, 'soon', 750],
    [503, new Date(Date.UTC(2026, 0, 15, 12, 1)).toUTCString(), 60_000],
  ])('of a %i with %s: the next request comes after %i ms', async (status, value, wait) => {
    const simulator = await bench.simulator()
    simulator.fault({ status, headers: { 'retry-after': value } })
    const tested = bench.poller(simulator.url)
    tested.poller.start()
    expect(await tested.paused()).toBe(wait)
  })
})

describe('after an error', () => {
  it('one good answer makes the next wait short again', async () => {
    const simulator = await bench.simulator()
    simulator.fault({ status: 500 }, 4)
    simulator.fault({})
    simulator.fault({ status: 500 })
    const tested = bench.poller(simulator.url)
    tested.poller.start()
    await tested.paused()
    const waits: number[] = []
    for (let i = 0; i < 5; i++) waits.push(await tested.nextPause())
    expect(waits).toEqual([1_500, 3_000, 6_000, IDLE, 750])
  })

  it('another cause in the same trouble is said too, a repeated one is not', async () => {
    const simulator = await bench.simulator()
    for (let i = 0; i < 3; i++) {
      simulator.fault({ status: 500 })
      simulator.fault({ status: 502 })
    }
    const tested = bench.poller(simulator.url)
    tested.poller.start()
    await tested.paused()
    for (let i = 0; i < 5; i++) await tested.nextPause()
    expect(tested.log.linesAt('warn')).toHaveLength(2)
  })
})

describe('a mistake of ours', () => {
  const broken = (): never => {
    throw new Error('a bug')
  }

  it('before the request does not end the loop', async () => {
    const tested = bench.poller('http://127.0.0.1:9/', {}, withPull({ request: broken }))
    tested.poller.start()
    await tested.paused()
    await tested.nextPause()
    expect(tested.observer.outcomes).toEqual(['internal-error', 'internal-error'])
    expect(tested.log.linesAt('error')).toHaveLength(2)
  })

  it('while looking into an answer does not lose it', async () => {
    const simulator = await bench.simulator()
    simulator.enqueue(data.mtargetReceipts(3))
    const tested = bench.poller(simulator.url, {}, withPull({ inspect: broken }))
    tested.poller.start()
    await tested.paused()
    expect(tested.journal.entries).toHaveLength(1)
    expect(tested.observer.outcomes).toEqual(['not-a-page'])
  })
})

const ERROR_ROW = JSON.stringify({
  results: [{ msisdn: 'null', smscount: '0', code: '-12', reason: 'invalid credential', ticket: 'null' }],
})
