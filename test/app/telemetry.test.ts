import { describe, expect, it } from 'vitest'
import { createLog } from '../../src/admin/log.js'
import { Metrics } from '../../src/admin/metrics.js'
import { Status } from '../../src/admin/status.js'
import { observeCallbacks, observeHandedIn, observePipeline, observePulls } from '../../src/app/telemetry.js'
import { ConnectorError } from '../../src/core/errors.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryJournal } from '../support/memory-journal.js'

const MINUTE_MS = 60_000
const SOURCES = [{ name: 'a', provider: 'seven', callback: {} }]

function create() {
  const clock = new ManualClock()
  const journal = new MemoryJournal(clock)
  const lines: string[] = []
  const entries: object[] = []
  const deps = {
    metrics: new Metrics(journal, clock),
    status: new Status({ instance: 'i', version: '0', sources: SOURCES, journal, journalMaxBytes: 1, clock }),
    log: createLog(
      { level: 'info', instance: 'i', personalData: 'masked' },
      {
        write: (line: string) => {
          const entry = JSON.parse(line) as { msg: string }
          entries.push(entry)
          lines.push(entry.msg)
        },
      },
    ),
    clock,
  }
  const observer = observePipeline(deps, {
    onRelease: () => undefined,
    isRegistryConfirmed: () => true,
    schemaWarnings: () => [],
    personalData: 'masked',
  })
  const { metrics } = deps
  return {
    clock,
    lines,
    entries,
    observer,
    pullObserver: observePulls(deps),
    callbackObserver: observeCallbacks(deps),
    metrics,
    status: deps.status,
    handedIn: observeHandedIn(deps),
  }
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

  it('has one line for a reason that differs from attempt to attempt in its numbers only', async () => {
    const { clock, lines, observer } = create()
    for (let attempt = 0; attempt < 20; attempt++) {
      observer.waiting(
        new ConnectorError('KAFKA_REFUSED', `the time should be within [-9${attempt}, 1795******${attempt}]`),
      )
      await clock.advance(1_000)
    }
    expect(lines).toHaveLength(1)
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

describe('The times of the last event of a source', () => {
  const exported = async (metrics: Metrics, name: string): Promise<number> => {
    const text = await metrics.registry.metrics()
    return Number(new RegExp(`^${name}\\{source="a"\\} (\\S+)$`, 'm').exec(text)?.[1])
  }

  it('are set by accepted callbacks and by pages, and not by refused callbacks and empty answers', async () => {
    const { metrics, callbackObserver, pullObserver, clock } = create()
    const received = (): Promise<number> => exported(metrics, 'dlrmo_last_received_timestamp_seconds')
    void metrics.setSources([{ name: 'a', provider: 'seven', pull: {}, callback: {} }])
    callbackObserver.answered('a', 401, 'token')
    pullObserver.requestEnded('a', 'empty')
    expect(await received()).toBe(0)
    callbackObserver.answered('a', 200)
    expect(await received()).toBe(clock.now() / 1_000)
    await clock.advance(MINUTE_MS)
    pullObserver.requestEnded('a', 'page')
    expect(await received()).toBe(clock.now() / 1_000)
    const text = await metrics.registry.metrics()
    expect(text).toContain('dlrmo_callbacks_refused_total{source="a",reason="token"} 1')
    expect(text).toContain('dlrmo_callbacks_total{source="a",code="401"} 1')
  })

  it('are set by published events, and not by duplicates and dead letters', async () => {
    const { metrics, observer, clock } = create()
    const published = (): Promise<number> => exported(metrics, 'dlrmo_last_published_timestamp_seconds')
    const item = { source: 'a', via: 'CALLBACK', receivedAt: clock.now(), deadLetter: null } as const
    void metrics.setSources([{ name: 'a', provider: 'seven', callback: {} }])
    observer.released([
      { ...item, kind: 'duplicate' },
      { ...item, kind: 'dead-letter', deadLetter: { eventId: 'e', reason: 'not-a-page', detail: 'found HTML' } },
    ])
    expect(await published()).toBe(0)
    observer.released([{ ...item, kind: 'mo' }])
    expect(await published()).toBe(clock.now() / 1_000)
  })
})

describe('The log of dead letters', () => {
  it('has the first of each source and reason with its event id, and then one line a minute with the number in between', async () => {
    const { clock, entries, observer } = create()
    const letter = (reason: string, eventId: string) => ({
      source: 'a',
      via: 'CALLBACK' as const,
      receivedAt: clock.now(),
      kind: 'dead-letter' as const,
      deadLetter: { eventId, reason, detail: `the message of +33612345678 is odd${'x'.repeat(5_000_000)}` },
    })
    observer.released([letter('missing-text', '1'), letter('missing-text', '2'), letter('not-json', '3')])
    observer.released([letter('missing-text', '4')])
    await clock.advance(MINUTE_MS)
    observer.released([letter('missing-text', '5')])
    const line = { event: 'dead-letter', level: 'warn', source: 'a' }
    expect(entries).toMatchObject([
      { ...line, reason: 'missing-text', eventId: '1' },
      { ...line, reason: 'not-json', eventId: '3' },
      { ...line, reason: 'missing-text', eventId: '5', sinceLastLine: 2 },
    ])
    expect(JSON.stringify(entries)).not.toContain('+33612345678')
    expect(JSON.stringify(entries).length).toBeLessThan(3_000)
  })
})

describe('dlrmo_publishing_waiting and dlrmo_registry_state', () => {
  it('have the cause that publishing waits for, and what follows for the registry', async () => {
    const { metrics, observer } = create()
    const present = async (): Promise<string[]> =>
      [...(await metrics.registry.metrics()).matchAll(/^dlrmo_(?:publishing_waiting|registry_state)\{(.*)\} 1$/gm)].map(
        ([, labels = '']) => labels,
      )
    observer.waiting(new ConnectorError('SCHEMA_REFUSED', 'the registry refuses the schema'))
    expect(await present()).toEqual(['cause="schema-refused"', 'state="waiting"'])
    observer.waiting(unreachable(1))
    expect(await present()).toEqual(['cause="kafka-unreachable"', 'state="ok"'])
    observer.waiting(null)
    expect(await present()).toEqual(['state="ok"'])
  })
})

describe('dlrmo_pull_in_flight_items', () => {
  it('has the items that the request under way asks for, and 0 when the poller waits', async () => {
    const { metrics, pullObserver } = create()
    const value = async (): Promise<string | undefined> =>
      /^dlrmo_pull_in_flight_items\{source="a"\} (\d+)$/m.exec(await metrics.registry.metrics())?.[1]
    const idle = { since: 0, limit: 50, nextAt: null, lastError: null, lastErrorOutcome: null, lastPageAt: null }
    void metrics.setSources([{ name: 'a', provider: 'seven', pull: {} }])
    expect(await value()).toBe('0')
    pullObserver.stateChanged('a', { ...idle, state: 'asking', inFlightItems: 50 })
    expect(await value()).toBe('50')
    pullObserver.stateChanged('a', { ...idle, state: 'idle', inFlightItems: 0 })
    expect(await value()).toBe('0')
  })
})

describe('Replayed dead letters', () => {
  const entry = {
    source: 'a',
    provider: 'seven',
    via: 'CALLBACK',
    receivedAt: 1,
    facts: { method: 'POST', path: '/callbacks/a', query: '' },
    body: new Uint8Array(),
  } as const

  it('are counted when they are handed in, with their time, and entries of other journals are not', async () => {
    const { handedIn, metrics, status, clock } = create()
    handedIn([
      { ...entry, origin: { kind: 'dead-letter', eventId: 'e', reason: 'missing-text' } },
      { ...entry, origin: { kind: 'import', journalId: 'j', seq: 1 } },
    ])
    const at = new Date(clock.now()).toISOString()
    await clock.advance(MINUTE_MS)
    expect(status.snapshot().sources[0]?.replays).toMatchObject({ handedIn: 1, lastHandedInAt: at, lastItemAt: null })
    expect(await metrics.registry.metrics()).toContain('dlrmo_replays_handed_in_total{source="a"} 1')
  })

  it('are counted by what became of their items, and not as new dead letters or events of their source', () => {
    const { observer, status, clock } = create()
    const item = { source: 'a', via: 'CALLBACK', receivedAt: 1, deadLetter: null } as const
    const deadLetter = { eventId: 'e', reason: 'missing-text', detail: 'it has no text' }
    observer.released([
      { ...item, kind: 'dead-letter', deadLetter, replay: 'unreadable' },
      { ...item, kind: 'mo', replay: 'duplicate' },
    ])
    const lastItemAt = new Date(clock.now()).toISOString()
    expect(status.snapshot().sources[0]).toMatchObject({
      replays: { handedIn: 0, items: { published: 0, duplicate: 1, unreadable: 1 }, lastItemAt },
      lastPublishedAt: null,
    })
    expect(status.snapshot().deadLetters).toEqual([])
    observer.released([{ ...item, kind: 'mo', replay: 'published' }])
    expect(status.snapshot().sources[0]).toMatchObject({
      replays: { items: { published: 1, duplicate: 1, unreadable: 1 } },
      lastPublishedAt: lastItemAt,
    })
  })
})
