import { beforeEach, describe, expect, it } from 'vitest'
import { Metrics } from '../../src/admin/metrics.js'
import { ConnectorError } from '../../src/core/errors.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryJournal } from '../support/memory-journal.js'

let metrics: Metrics
let journal: MemoryJournal
let clock: ManualClock

beforeEach(() => {
  clock = new ManualClock()
  journal = new MemoryJournal(clock)
  metrics = new Metrics(journal, clock)
})

/** Metrics and labels that the documentation promises and dashboards use. */
const PROMISED: Record<string, string[]> = {
  dlrmo_callbacks_total: ['source', 'code'],
  dlrmo_pull_requests_total: ['source', 'outcome'],
  dlrmo_pull_answers_lost_total: ['source', 'reason'],
  dlrmo_items_received_total: ['source', 'via'],
  dlrmo_events_published_total: ['source', 'kind'],
  dlrmo_dead_letters_total: ['source', 'reason'],
  dlrmo_duplicates_suppressed_total: ['source'],
  dlrmo_journal_entries: [],
  dlrmo_journal_bytes: [],
  dlrmo_journal_oldest_age_seconds: [],
  dlrmo_pull_limit: ['source'],
  dlrmo_pull_in_flight_items: ['source'],
  dlrmo_replayed_items_total: ['source', 'outcome'],
  dlrmo_replays_handed_in_total: ['source'],
  dlrmo_throttled_seconds_total: [],
  dlrmo_callbacks_refused_total: ['source', 'reason'],
  dlrmo_last_received_timestamp_seconds: ['source'],
  dlrmo_last_published_timestamp_seconds: ['source'],
  dlrmo_publishing_waiting: ['cause'],
  dlrmo_registry_state: ['state'],
  dlrmo_journal_max_bytes: [],
  dlrmo_custody_free_bytes: [],
  dlrmo_custody_refused: [],
  dlrmo_custody_seconds: [],
  dlrmo_publish_seconds: [],
  dlrmo_end_to_end_seconds: [],
}

describe('Metrics', () => {
  it('have the documented names and labels', async () => {
    metrics.callbacks.inc({ source: 's', code: '200' })
    metrics.callbacksRefused.inc({ source: 's', reason: 'token' })
    metrics.lastReceivedAt.set('s', 1_000)
    metrics.lastPublishedAt.set('s', 1_000)
    metrics.pullRequests.inc({ source: 's', outcome: 'page' })
    metrics.pullAnswersLost.inc({ source: 's', reason: 'timeout' })
    metrics.itemsReceived.inc({ source: 's', via: 'PULL' })
    metrics.eventsPublished.inc({ source: 's', kind: 'dlr' })
    metrics.deadLetters.inc({ source: 's', reason: 'not-a-page' })
    metrics.duplicatesSuppressed.inc({ source: 's' })
    metrics.replayedItems.inc({ source: 's', outcome: 'published' })
    metrics.replaysHandedIn.inc({ source: 's' })
    metrics.pullLimit.set({ source: 's' }, 50)
    metrics.pullInFlightItems.set({ source: 's' }, 50)
    const text = await metrics.registry.metrics()
    for (const [name, labels] of Object.entries(PROMISED)) {
      const sample = text.split('\n').find((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      const histogram = text.includes(`# TYPE ${name} histogram`)
      expect(sample !== undefined || histogram, name).toBe(true)
      const given = [...(sample ?? '').matchAll(/(\w+)="/g)].map(([, label]) => label)
      expect(given, name).toEqual(labels)
      if (histogram) expect(text).toContain(`${name}_count 0`)
    }
    const others = text.matchAll(/^# TYPE (dlrmo_\w+)/gm)
    expect([...others].map(([, name]) => name).filter((name) => !(name! in PROMISED))).toEqual([
      'dlrmo_reconcile_requests_total',
      'dlrmo_watched_messages',
      'dlrmo_watch_given_up_total',
      'dlrmo_publishing',
      'dlrmo_telemetry_dropped_total',
      'dlrmo_source_owned',
      'dlrmo_sharing_assigned',
      'dlrmo_published_twice_total',
      'dlrmo_config_reload_successful',
      'dlrmo_config_reload_success_timestamp_seconds',
      'dlrmo_ids_forgotten_early',
      'dlrmo_watch_list_messages',
      'dlrmo_watch_list_max_messages',
      'dlrmo_watch_list_not_added',
      'dlrmo_callback_connections',
      'dlrmo_callback_max_connections',
      'dlrmo_callback_body_bytes',
      'dlrmo_log_lines_dropped_total',
    ])
  })

  it('read the journal at each scrape', async () => {
    expect(await metrics.registry.metrics()).toMatch(/^dlrmo_journal_oldest_age_seconds 0$/m)
    const facts = { method: 'GET', path: '/', query: '' }
    await journal.append({
      source: 's',
      provider: 'seven',
      via: 'CALLBACK',
      receivedAt: clock.now(),
      facts,
      body: Buffer.from('four'),
    })
    await clock.advance(90_000)
    const text = await metrics.registry.metrics()
    expect(text).toMatch(/^dlrmo_journal_entries 1$/m)
    expect(text).toMatch(/^dlrmo_journal_bytes 4$/m)
    expect(text).toMatch(/^dlrmo_journal_oldest_age_seconds 90$/m)
  })

  it('tell what the limit and the entries leave for custody, and that custody is refused', async () => {
    journal.maxBytes = 1_000
    expect(await metrics.registry.metrics()).toMatch(/^dlrmo_custody_free_bytes 1000$/m)
    journal.refuses = 'JOURNAL_FULL'
    const text = await metrics.registry.metrics()
    expect(text).toMatch(/^dlrmo_journal_max_bytes 1000$/m)
    expect(text).toMatch(/^dlrmo_custody_free_bytes 0$/m)
    expect(text).toMatch(/^dlrmo_custody_refused 1$/m)
    journal.refuses = undefined
    expect(await metrics.registry.metrics()).toMatch(/^dlrmo_custody_refused 0$/m)
  })

  it('say that custody is refused while the journal can not be read', async () => {
    const fail = (): never => {
      throw new Error('MDB_CORRUPTED')
    }
    Object.assign(journal, { stats: fail, refusalReason: fail })
    const text = await metrics.registry.metrics()
    expect(text).toMatch(/^dlrmo_custody_refused 1$/m)
    expect(text).toMatch(/^dlrmo_custody_free_bytes Nan$/m)
  })

  it('show one cause of waiting at a time, and every cause as 0 while nothing waits', async () => {
    const present = async (): Promise<(string | undefined)[]> =>
      [...(await metrics.registry.metrics()).matchAll(/^dlrmo_publishing_waiting\{cause="([^"]+)"\} 1$/gm)].map(
        ([, cause]) => cause,
      )
    expect(await present()).toEqual([])
    metrics.setPublishingCause(new ConnectorError('KAFKA_UNREACHABLE', 'no broker answers'))
    expect(await present()).toEqual(['kafka-unreachable'])
    metrics.setPublishingCause(new ConnectorError('SCHEMA_REFUSED', 'refused'))
    expect(await present()).toEqual(['schema-refused'])
    metrics.setPublishingCause(new TypeError('an error that nobody expected'))
    expect(await present()).toEqual(['unexpected'])
    metrics.setPublishingCause(null)
    expect(await present()).toEqual([])
    expect(await metrics.registry.metrics()).toMatch(/^dlrmo_publishing_waiting\{cause="topic-missing"\} 0$/m)
  })

  it('show one state of the registry at a time', async () => {
    const present = async (): Promise<(string | undefined)[]> =>
      [...(await metrics.registry.metrics()).matchAll(/^dlrmo_registry_state\{state="([^"]+)"\} 1$/gm)].map(
        ([, state]) => state,
      )
    expect(await present()).toEqual(['starting'])
    metrics.setRegistryState('waiting')
    expect(await present()).toEqual(['waiting'])
  })

  it('that are gauges have no name of a counter, and counters have one', async () => {
    const types = [...(await metrics.registry.metrics()).matchAll(/^# TYPE (\S+) (\S+)$/gm)]
    expect(types.length).toBeGreaterThan(50)
    const misnamed = types.filter(([, name = '', type]) => name.endsWith('_total') !== (type === 'counter'))
    expect(misnamed.map(([, name]) => name)).toEqual([])
  })

  it('of a source that is removed, or no longer received from in a way, end, and those of the others go on', async () => {
    const source = { name: 's', provider: 'seven', pull: {}, callback: {}, reconcile: {} }
    await metrics.setSources([source, { ...source, name: 'gone' }])
    for (const name of ['s', 'gone']) {
      metrics.pullRequests.inc({ source: name, outcome: 'page' })
      metrics.callbacks.inc({ source: name, code: '200' })
      metrics.sourceOwned.set({ source: name }, 1)
      metrics.lastReceivedAt.set(name, 5_000)
    }
    await metrics.setSources([{ name: 's', provider: 'seven', callback: {}, reconcile: {} }])
    // Work that ends later may still count what it has done.
    metrics.pullRequests.inc({ source: 's', outcome: 'empty' })
    metrics.pullInFlightItems.set({ source: 'gone' }, 0)
    await metrics.workStopped('s', 'poll')
    await metrics.workStopped('gone', 'poll')
    await metrics.workStopped('s', 'reconcile')
    const text = await metrics.registry.metrics()
    expect(text).not.toContain('source="gone"')
    expect(text).not.toMatch(/dlrmo_pull_\w+\{.*source="s"/)
    expect(text).toContain('dlrmo_callbacks_total{source="s",code="200"} 1')
    expect(text).toContain('dlrmo_source_owned{source="s"} 1')
    expect(text).toContain('dlrmo_last_received_timestamp_seconds{source="s"} 5')
    expect(text).toContain('dlrmo_reconcile_requests_total{source="s",endpoint="status",outcome="answer"} 0')
  })

  it('of reloads tell whether the last one succeeded, and when one did', async () => {
    const valuesOf = async (): Promise<string[]> =>
      (await metrics.registry.metrics()).match(/^dlrmo_config_reload_\w+ .*$/gm) ?? []
    metrics.setReloadResult(true, 5_000)
    expect(await valuesOf()).toEqual([
      'dlrmo_config_reload_successful 1',
      'dlrmo_config_reload_success_timestamp_seconds 5',
    ])
    metrics.setReloadResult(false, 9_000)
    expect(await valuesOf()).toEqual([
      'dlrmo_config_reload_successful 0',
      'dlrmo_config_reload_success_timestamp_seconds 5',
    ])
  })

  it('of a source start at 0, so that Prometheus sees the first event as an increase', async () => {
    void metrics.setSources([{ name: 's', provider: 'seven', pull: {}, callback: {}, reconcile: {} }])
    const text = await metrics.registry.metrics()
    expect(text).toContain('dlrmo_callbacks_total{source="s",code="503"} 0')
    expect(text).toContain('dlrmo_pull_requests_total{source="s",outcome="account-error"} 0')
    expect(text).toContain('dlrmo_pull_answers_lost_total{source="s",reason="timeout"} 0')
    expect(text).toContain('dlrmo_events_published_total{source="s",kind="mo"} 0')
    expect(text).toContain('dlrmo_callbacks_total{source="",code="401"} 0')
    expect(text).toContain('dlrmo_callbacks_refused_total{source="s",reason="token"} 0')
    expect(text).toContain('dlrmo_callbacks_refused_total{source="",reason="unknown-source"} 0')
    expect(text).toContain('dlrmo_last_received_timestamp_seconds{source="s"} 0')
  })

  it('of two instances are independent of each other', async () => {
    const other = new Metrics(journal, clock)
    other.callbacks.inc({ source: 's', code: '200' })
    expect(await metrics.registry.metrics()).not.toContain('dlrmo_callbacks_total{')
  })

  it('include the default metrics of the process', async () => {
    expect(await metrics.registry.metrics()).toContain('process_resident_memory_bytes')
  })
})
