import { afterEach, describe, expect, it } from 'vitest'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { IDLE_DELAY_MS, PollerFixture, mtargetWith } from '../support/poller.js'

const fixture = new PollerFixture()
const data = new ProviderData(9)
afterEach(() => fixture.stopAll())

const WRONG_PASSWORD = { password: 'wrong' }

describe('Poller with credentials that the provider refuses', () => {
  it.each([200, 401, 403])(
    'reports an account error for HTTP status %i and waits longer each time, up to idleDelay',
    async (status) => {
      const simulator = await fixture.startSimulator({ accountErrorStatus: status })
      const tested = fixture.createPoller(simulator.url, WRONG_PASSWORD)
      tested.poller.start()
      const waits = [await tested.untilPaused()]
      for (let i = 0; i < 11; i++) waits.push(await tested.untilNextPause())
      expect(waits.slice(0, 4)).toEqual([750, 1_500, 3_000, 6_000])
      expect([...waits].sort((a, b) => a - b)).toEqual(waits)
      expect(waits.at(-1)).toBeLessThanOrEqual(IDLE_DELAY_MS)
      expect(waits.at(-1)).toBeGreaterThan(IDLE_DELAY_MS / 2)
      expect(new Set(tested.observer.outcomes)).toEqual(new Set(['account-error']))
    },
  )

  it.each([
    ['names the keys of the credentials', { accountErrorStatus: 401 }, WRONG_PASSWORD, undefined, true],
    ['names them if only the status says so', {}, {}, { status: 403 }, true],
    ['does not name them if the server fails', {}, {}, { status: 503 }, false],
  ] as const)('%s in its error', async (_what, options, changes, fault, isNamed) => {
    const simulator = await fixture.startSimulator(options)
    if (fault !== undefined) simulator.fault(fault)
    const tested = fixture.createPoller(simulator.url, changes)
    tested.poller.start()
    await tested.untilPaused()
    const { lastError } = tested.observer.lastState!
    expect(/; check sources\.\S+\.pull\.username and sources\.\S+\.pull\.password$/.test(lastError!)).toBe(isNamed)
  })

  it('logs the outage once when it begins and once when it ends, and shows it on the status page in between', async () => {
    const simulator = await fixture.startSimulator()
    for (let i = 0; i < 5; i++) simulator.fault({ body: ERROR_ROW })
    const tested = fixture.createPoller(simulator.url)
    tested.poller.start()
    await tested.untilPaused()
    for (let i = 0; i < 4; i++) {
      expect(tested.observer.lastState).toMatchObject({
        state: 'backing-off',
        lastError: expect.stringContaining('invalid') as string,
      })
      await tested.untilNextPause()
    }
    expect(tested.log.linesAt('warn')).toHaveLength(1)
    expect(await tested.untilNextPause()).toBe(IDLE_DELAY_MS)
    expect(tested.log.linesAt('warn')).toHaveLength(1)
    expect(tested.log.linesAt('info').map(({ message }) => message)).toEqual(['pulling works again'])
    expect(tested.observer.lastState?.lastError).toBeNull()
    expect(JSON.stringify(tested.log.lines)).not.toContain('secret')
  })

  it('logs two lines a minute of an account that fails and recovers every second', async () => {
    const simulator = await fixture.startSimulator()
    for (let i = 0; i < 60; i++) {
      simulator.fault({ body: ERROR_ROW })
      simulator.fault({ body: '{"results":[]}' })
    }
    const tested = fixture.createPoller(simulator.url, { idleDelay: 1_000 })
    tested.poller.start()
    await tested.untilPaused()
    const began = tested.clock.monotonic()
    while (tested.clock.monotonic() - began < 100_000) await tested.untilNextPause()
    expect(new Set(tested.observer.outcomes)).toEqual(new Set(['account-error', 'empty']))
    const messages = tested.log.lines.map(({ message }) => message)
    const failure = 'pulling fails and is retried with growing delays'
    expect(messages).toEqual([failure, 'pulling works again', failure, 'pulling works again'])
  })

  it('stores the rows of a page that holds an error row as well, logs the error, and goes on', async () => {
    const simulator = await fixture.startSimulator()
    const [row] = data.mtargetReceipts(1)
    simulator.fault({
      body: JSON.stringify({ results: [row, ...(JSON.parse(ERROR_ROW) as { results: object[] }).results] }),
    })
    const tested = fixture.createPoller(simulator.url)
    tested.poller.start()
    await tested.untilPaused()
    expect(tested.journal.entries).toHaveLength(1)
    expect(tested.observer.outcomes).toEqual(['page', 'empty'])
    expect(tested.log.linesAt('warn')).toHaveLength(1)
  })

  it('does not slow the pollers of other accounts', async () => {
    const simulator = await fixture.startSimulator()
    const good = await Promise.all(Array.from({ length: 9 }, () => fixture.startSimulator()))
    for (const each of good) each.enqueue(data.mtargetReceipts(300))
    const hanging = await fixture.startSimulator()
    hanging.fault({ hang: 'before' }, 100)
    const failing = fixture.createPoller(simulator.url, WRONG_PASSWORD)
    const stuck = fixture.createPoller(hanging.url)
    const pollers = good.map((each) => fixture.createPoller(each.url))
    for (const { poller } of [stuck, failing, ...pollers]) poller.start()
    for (const tested of pollers) expect(await tested.untilPaused()).toBe(IDLE_DELAY_MS)
    expect(good.map((each) => each.queued)).toEqual(good.map(() => 0))
    expect(stuck.observer.outcomes).toEqual([])
  })
})

describe('Poller receiving Retry-After', () => {
  it.each([
    [429, '30', 30_000],
    [503, '30', 30_000],
    [503, '999999', IDLE_DELAY_MS],
    [429, '0', 750],
    [429, 'soon', 750],
    [503, new Date(Date.UTC(2026, 0, 15, 12, 1)).toUTCString(), 60_000],
  ])('answers a %i with Retry-After %s by a request after %i ms', async (status, value, wait) => {
    const simulator = await fixture.startSimulator()
    simulator.fault({ status, headers: { 'retry-after': value } })
    const tested = fixture.createPoller(simulator.url)
    tested.poller.start()
    expect(await tested.untilPaused()).toBe(wait)
  })
})

describe('Poller after an error', () => {
  it('begins with the shortest delay again after one good answer', async () => {
    const simulator = await fixture.startSimulator()
    simulator.fault({ status: 500 }, 4)
    simulator.fault({})
    simulator.fault({ status: 500 })
    const tested = fixture.createPoller(simulator.url)
    tested.poller.start()
    await tested.untilPaused()
    const waits: number[] = []
    for (let i = 0; i < 5; i++) waits.push(await tested.untilNextPause())
    expect(waits).toEqual([1_500, 3_000, 6_000, IDLE_DELAY_MS, 750])
  })

  it('logs each cause of one outage once', async () => {
    const simulator = await fixture.startSimulator()
    for (let i = 0; i < 3; i++) {
      simulator.fault({ status: 500 })
      simulator.fault({ status: 502 })
    }
    const tested = fixture.createPoller(simulator.url)
    tested.poller.start()
    await tested.untilPaused()
    for (let i = 0; i < 5; i++) await tested.untilNextPause()
    expect(tested.log.linesAt('warn')).toHaveLength(2)
  })
})

describe('Poller with a failing provider implementation', () => {
  const broken = (): never => {
    throw new Error('a bug')
  }

  it('goes on polling after an error before the request', async () => {
    const tested = fixture.createPoller('http://127.0.0.1:9/', {}, mtargetWith({ request: broken }))
    tested.poller.start()
    await tested.untilPaused()
    await tested.untilNextPause()
    expect(tested.observer.outcomes).toEqual(['internal-error', 'internal-error'])
    expect(tested.log.linesAt('error')).toHaveLength(2)
  })

  it('stores an answer although inspecting it fails', async () => {
    const simulator = await fixture.startSimulator()
    simulator.enqueue(data.mtargetReceipts(3))
    const tested = fixture.createPoller(simulator.url, {}, mtargetWith({ inspect: broken }))
    tested.poller.start()
    await tested.untilPaused()
    expect(tested.journal.entries).toHaveLength(1)
    expect(tested.observer.outcomes).toEqual(['not-a-page'])
  })
})

const ERROR_ROW = JSON.stringify({
  results: [{ msisdn: 'null', smscount: '0', code: '-12', reason: 'invalid credential', ticket: 'null' }],
})
