/** States of a connector as its parts report them, for the tests of the status page. */
import { reportStatus } from '../../../src/admin/problems.js'
import { Status } from '../../../src/admin/status.js'
import type { PullState } from '../../../src/core/observers.js'
import { rememberSecrets } from '../../../src/masking/known-secrets.js'
import { ManualClock } from '../../support/manual-clock.js'
import { MemoryJournal } from '../../support/memory-journal.js'

export const PASSWORD = 'correct-horse-battery'
export const RECIPIENT = '+33612345678'
const MINUTE_MS = 60_000
const MAX_BYTES = 1024 ** 2

export class StatusScenario {
  readonly clock = new ManualClock()
  readonly journal = new MemoryJournal(this.clock)
  readonly status: Status

  constructor() {
    this.journal.maxBytes = MAX_BYTES
    rememberSecrets([PASSWORD])
    this.status = new Status({
      instance: 'connector-0',
      version: '0.1.0',
      journal: this.journal,
      journalMaxBytes: MAX_BYTES,
      clock: this.clock,
      sources: [
        { name: 'mtarget-fr', provider: 'mtarget', pull: {} },
        { name: 'seven-main', provider: 'seven', callback: {}, reconcile: {} },
      ],
    })
    this.status.phase = 'running'
    this.status.setPublishing('ok')
    this.status.setRegistry('ok')
  }

  page = (lastPageAt: number | null, more: Partial<PullState> = {}): void =>
    this.status.recordPull('mtarget-fr', {
      state: 'idle',
      since: this.clock.now(),
      limit: 50,
      inFlightItems: 0,
      nextAt: this.clock.now() + 3 * MINUTE_MS,
      lastError: null,
      lastErrorOutcome: null,
      lastPageAt,
      ...more,
    })

  /** @param isPublished whether what is received is published within the same minute */
  async run(minutes: number, isPublished: boolean): Promise<void> {
    const { status, clock, journal } = this
    for (let minute = 0; minute < minutes; minute++) {
      for (let call = 0; call < 5 + (minute % 7); call++) {
        const facts = { method: 'GET', path: '/callbacks/seven-main', query: '' }
        const body = Buffer.alloc(2_000)
        await journal.append({
          source: 'seven-main',
          provider: 'seven',
          via: 'CALLBACK',
          receivedAt: clock.now(),
          facts,
          body,
        })
        status.recordCallback('seven-main', 200, null)
      }
      status.recordPage('mtarget-fr')
      this.page(clock.now())
      if (isPublished) {
        await journal.release(journal.entries.at(-1)!.seq, { occurrences: [], watchChanges: [] })
        status.recordPublished('seven-main', 5 + (minute % 7))
        status.recordPublished('mtarget-fr', 20 + ((minute * 13) % 30))
      }
      status.recordReconciling('seven-main', {
        state: 'ok',
        since: clock.now(),
        watched: 12,
        lastAnswerAt: clock.now(),
        lastWalkAt: { outbound: clock.now(), inbound: clock.now() },
        lastError: null,
      })
      status.snapshot()
      await clock.advance(MINUTE_MS)
    }
    await clock.advance(3_000)
  }

  report() {
    return { report: reportStatus(this.status.snapshot()), history: this.status.history() }
  }
}

/** The states in which the page is looked at, by name. */
export const SCENARIOS: Readonly<Record<string, () => Promise<StatusScenario>>> = {
  'all is well': async () => {
    const scenario = new StatusScenario()
    await scenario.run(75, true)
    return scenario
  },
  'Kafka is away and the journal fills': async () => {
    const scenario = new StatusScenario()
    await scenario.run(40, true)
    scenario.status.setPublishing(
      'waiting',
      "can't connect to any of the brokers kafka-1:9092, kafka-2:9092 (kafka.brokers): connect ECONNREFUSED 10.0.3.17:9092",
      'KAFKA_UNREACHABLE',
    )
    await scenario.run(46, false)
    return scenario
  },
  'a password is wrong, callbacks are refused and dead letters arrive': async () => {
    const scenario = new StatusScenario()
    const { status, clock } = scenario
    await scenario.run(60, true)
    scenario.page(clock.now() - MINUTE_MS, {
      state: 'backing-off',
      nextAt: clock.now() + 2 * MINUTE_MS,
      lastError: `HTTP 401: {"error":"wrong password ${PASSWORD} for ${RECIPIENT}"}; check sources.mtarget-fr.pull.username and .password`,
    })
    for (let call = 0; call < 17; call++) status.recordCallback('seven-main', 401, 'token')
    status.recordDeadLetter('mtarget-fr', {
      eventId: 'ab12-1764295000000000-0',
      reason: 'missing-text',
      detail: `the inbound message of ${RECIPIENT} has none of the fields Content, Msg, Text; ${'x'.repeat(5_000_000)}`,
    })
    status.recordDeadLetter('seven-main', {
      eventId: 'ab12-1764295000000001-0',
      reason: 'not-a-report',
      detail: '<script>alert(1)</script> is neither JSON nor a form',
    })
    status.recordCallback('', 401, 'unknown-source')
    for (const outcome of ['published', 'published', 'unreadable'] as const) {
      status.recordReplayHandedIn('mtarget-fr')
      status.recordReplayedItem('mtarget-fr', outcome)
    }
    await clock.advance(14 * MINUTE_MS)
    return scenario
  },
  'the disk is full': async () => {
    const scenario = new StatusScenario()
    await scenario.run(60, true)
    await scenario.run(3, false)
    const refusal = 'the disk that holds /var/lib/dlr-mo-connector/journal refuses writes; free space on it'
    scenario.journal.refuses = 'JOURNAL_FULL'
    Object.assign(scenario.journal, { refusalReason: () => refusal })
    scenario.status.recordCallback('seven-main', 503, 'journal-refuses')
    scenario.page(scenario.clock.now() - MINUTE_MS, { state: 'journal-full', nextAt: null })
    scenario.status.snapshot()
    await scenario.clock.advance(4 * MINUTE_MS)
    return scenario
  },
}
