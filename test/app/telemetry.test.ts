import { describe, expect, it } from 'vitest'
import { createLog } from '../../src/admin/log.js'
import { Metrics } from '../../src/admin/metrics.js'
import { Status } from '../../src/admin/status.js'
import { observePipeline, observePulls } from '../../src/app/telemetry.js'
import { ConnectorError } from '../../src/core/errors.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryJournal } from '../support/memory-journal.js'

const MINUTE_MS = 60_000

function create() {
  const clock = new ManualClock()
  const journal = new MemoryJournal(clock)
  const lines: string[] = []
  const deps = {
    metrics: new Metrics(journal, clock),
    status: new Status({ instance: 'i', version: '0', sources: [], journal, journalMaxBytes: 1, clock }),
    log: createLog(
      { level: 'info', instance: 'i', personalData: 'masked' },
      { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) },
    ),
    clock,
  }
  const observer = observePipeline(deps, {
    onRelease: () => undefined,
    isRegistryConfirmed: () => true,
    schemaWarnings: () => [],
    personalData: 'masked',
  })
  return { clock, lines, observer, pullObserver: observePulls(deps), metrics: deps.metrics }
}

const unreachable = (broker: number): ConnectorError =>
  new ConnectorError('KAFKA_UNREACHABLE', `broker ${broker} does not answer`)
const WAITS = 'publishing waits and is retried until it succeeds, intake continues: '

describe('The log of an outage of publishing', () => {
  it('has a line when it begins, reminders with the present reason, and a line when it ends', async () => {
    const { clock, lines, observer } = create()
    observer.waiting(null)
    for (let attempt = 0; attempt < 120; attempt++) {
      observer.waiting(attempt % 2 === 0 ? unreachable(attempt) : new ConnectorError('PUBLISH_IN_DOUBT', 'no answer'))
      await clock.advance(10_000)
    }
    observer.waiting(null)
    expect(lines).toEqual([
      'publishing has started',
      `${WAITS}broker 0 does not answer`,
      `${WAITS}broker 30 does not answer; this has lasted for 5 min`,
      `${WAITS}broker 60 does not answer; this has lasted for 10 min`,
      `${WAITS}broker 90 does not answer; this has lasted for 15 min`,
      'publishing has resumed',
    ])
  })

  it('has a line for each further reason, of the same kind too', async () => {
    const { clock, lines, observer } = create()
    observer.waiting(unreachable(1))
    await clock.advance(MINUTE_MS)
    observer.waiting(new ConnectorError('KAFKA_REFUSED', 'no right to write to topic a'))
    await clock.advance(MINUTE_MS)
    observer.waiting(new ConnectorError('KAFKA_REFUSED', 'no right to write to topic b'))
    observer.waiting(null)
    expect(lines).toEqual([
      `${WAITS}broker 1 does not answer`,
      `${WAITS}no right to write to topic a; the cause has changed; this has lasted for 1 min`,
      `${WAITS}no right to write to topic b; the cause has changed; this has lasted for 2 min`,
      'publishing has started',
    ])
  })
})

describe('dlrmo_pull_in_flight_items', () => {
  it('has the items that the request under way asks for, and 0 when the poller waits', async () => {
    const { metrics, pullObserver } = create()
    const value = async (): Promise<string | undefined> =>
      /^dlrmo_pull_in_flight_items\{source="a"\} (\d+)$/m.exec(await metrics.registry.metrics())?.[1]
    const idle = { since: 0, limit: 50, nextAt: null, lastError: null, lastPageAt: null }
    metrics.createSeries({ name: 'a', pull: {} })
    expect(await value()).toBe('0')
    pullObserver.stateChanged('a', { ...idle, state: 'asking', inFlightItems: 50 })
    expect(await value()).toBe('50')
    pullObserver.stateChanged('a', { ...idle, state: 'idle', inFlightItems: 0 })
    expect(await value()).toBe('0')
  })
})
