import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OutageLog, type OutageLogOptions } from '../../src/core/outage-log.js'
import { ManualClock } from '../support/manual-clock.js'
import { RecordingLog } from '../support/recording-observers.js'

const SECOND = 1_000
const MINUTE = 60 * SECOND

function create(options: Partial<OutageLogOptions> = {}) {
  const clock = new ManualClock()
  const log = new RecordingLog()
  const outages = new OutageLog(
    {
      failureEvent: 'pull-failed',
      recoveryEvent: 'pull-recovered',
      facts: { source: 'a' },
      formatFailure: (detail) => `pulling fails: ${detail}`,
      recovery: 'pulling works again',
      ...options,
    },
    { log, clock },
  )
  const failFor = async (ms: number, everyMs: number, cause = 'refused'): Promise<void> => {
    for (let passed = 0; passed < ms; passed += everyMs) {
      outages.failed(cause, cause)
      await clock.advance(everyMs)
    }
  }
  return { clock, log, outages, failFor, messages: () => log.lines.map(({ message }) => message) }
}

describe('OutageLog', () => {
  it('logs when an outage begins and when it ends, with its length and the number of errors', async () => {
    const { clock, log, outages } = create()
    outages.failed('refused', 'connection refused', { outcome: 'refused' })
    await clock.advance(30 * SECOND)
    outages.failed('refused', 'connection refused')
    await clock.advance(30 * SECOND)
    expect(outages.lastError).toBe('connection refused')
    outages.recovered()
    outages.recovered()
    expect(outages.lastError).toBeNull()
    expect(log.lines).toEqual([
      {
        level: 'warn',
        facts: { event: 'pull-failed', source: 'a', outcome: 'refused' },
        message: 'pulling fails: connection refused',
      },
      {
        level: 'info',
        facts: { event: 'pull-recovered', source: 'a', errors: 2, seconds: 60 },
        message: 'pulling works again',
      },
    ])
  })

  it.each([1, 30, 180])('reminds of an outage of hours every few minutes, if it fails every %d s', async (seconds) => {
    const { log, failFor } = create()
    await failFor(4 * 60 * MINUTE, seconds * SECOND)
    expect(log.lines.length).toBeGreaterThan((4 * 60 * MINUTE) / (8 * MINUTE))
    expect(log.lines.length).toBeLessThanOrEqual((4 * 60 * MINUTE) / (5 * MINUTE))
    expect(log.lines.at(-1)?.message).toMatch(/^pulling fails: refused; this has lasted for 3 h 5\d min$/)
  })

  it('logs another cause when it appears, and again after a minute if causes alternate', async () => {
    const { outages, clock, messages } = create()
    for (let round = 0; round < 3; round++) {
      outages.failed('a', 'a')
      await clock.advance(SECOND)
      outages.failed('b', 'b')
      await clock.advance(SECOND)
    }
    expect(messages()).toEqual(['pulling fails: a', 'pulling fails: b; the cause has changed; this has lasted for 1 s'])
    await clock.advance(MINUTE)
    outages.failed('a', 'a')
    expect(messages().at(-1)).toBe('pulling fails: a; the cause has changed; this has lasted for 1 min 6 s')
  })

  it('begins anew after a recovery', async () => {
    const { outages, messages, failFor } = create()
    await failFor(MINUTE, SECOND)
    outages.recovered()
    outages.failed('refused', 'refused')
    expect(messages()).toEqual(['pulling fails: refused', 'pulling works again', 'pulling fails: refused'])
  })

  it('logs an outage that begins in the quiet time only if it outlasts it, with its recovery', async () => {
    const { outages, clock, messages, failFor } = create({ quietMs: MINUTE })
    for (let round = 0; round < 25; round++) {
      outages.failed('full', 'full')
      await clock.advance(SECOND)
      outages.recovered()
      await clock.advance(SECOND)
    }
    expect(messages()).toEqual(['pulling fails: full', 'pulling works again'])
    await failFor(MINUTE, SECOND, 'full')
    expect(messages()[2]).toMatch(/^pulling fails: full; this has lasted for \d+ s$/)
  })

  it('logs the first failure of a new cause and its end in the quiet time, but no more than twenty such causes', async () => {
    const { outages, clock, messages } = create({ quietMs: MINUTE })
    for (let round = 0; round < 25; round++) {
      const cause = `cause ${round}`
      outages.failed(cause, cause)
      await clock.advance(SECOND)
      outages.recovered()
      await clock.advance(SECOND)
    }
    const causes = Array.from({ length: 20 }, (_, number) => `cause ${number}`)
    expect(messages()).toEqual(causes.flatMap((cause) => [`pulling fails: ${cause}`, 'pulling works again']))
  })

  it('logs two lines a minute of a condition that comes and goes every second, and counts what it left out', async () => {
    const { outages, clock, log } = create({ quietMs: MINUTE })
    for (let round = 0; round < 300; round++) {
      outages.failed('refused', 'refused')
      await clock.advance(SECOND)
      outages.recovered()
      await clock.advance(SECOND)
    }
    expect(log.linesAt('warn').map(({ facts }) => facts)).toEqual([
      { event: 'pull-failed', source: 'a' },
      ...Array.from({ length: 9 }, () => ({ event: 'pull-failed', source: 'a', unloggedOutages: 29 })),
    ])
    expect(log.linesAt('info')).toHaveLength(10)
  })

  it('takes an outage for over only when nothing has failed for the time that is configured', async () => {
    const { outages, clock, log, messages } = create({ failureEvent: 'custody-refused', recoversAfterMs: 5 * SECOND })
    outages.failed('full', 'full')
    await clock.advance(4 * SECOND)
    outages.recovered()
    expect(outages.lastError).toBe('full')
    await clock.advance(SECOND)
    outages.recovered()
    expect(messages()).toEqual(['pulling fails: full', 'pulling works again'])
    expect(log.lines.map(({ level }) => level)).toEqual(['error', 'info'])
  })

  it('is never silent for more than a few minutes of failures, names the present cause then, and never floods', async () => {
    const failure = fc.record({
      cause: fc.constantFrom('a', 'b', 'c', 'd'),
      afterMs: fc.integer({ min: 1, max: 2 * MINUTE }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(failure, { minLength: 1, maxLength: 60 }), async (failures) => {
        const { outages, clock, log } = create()
        let lastLineAt = -Infinity
        for (const { cause, afterMs } of failures) {
          await clock.advance(afterMs)
          const before = log.lines.length
          outages.failed(cause, cause)
          const now = clock.monotonic()
          if (log.lines.length > before) {
            lastLineAt = now
            expect(log.lines.at(-1)?.message).toMatch(`pulling fails: ${cause}`)
          }
          expect(now - lastLineAt).toBeLessThan(5 * MINUTE)
        }
        expect(log.lines.length).toBeLessThanOrEqual(4 * (1 + Math.ceil(clock.monotonic() / MINUTE)))
      }),
    )
  })
})
