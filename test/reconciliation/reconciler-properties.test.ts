import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { SevenSimulator } from '../../dev/simulators/seven.js'
import { MINUTE, ReconcilerFixtures, SECOND, TestedReconciler } from '../support/reconciler.js'

const fixtures = new ReconcilerFixtures()
let simulator: SevenSimulator
beforeAll(async () => {
  simulator = await SevenSimulator.start()
})
afterAll(() => simulator.stop())
afterEach(() => fixtures.stopAll())

const DAY = 24 * 60 * MINUTE

const minutes = (min: number, max: number) => fc.integer({ min, max }).map((each) => each * MINUTE)

/** A watched message. `settles` is the time from `added` until the provider has its final status, if it ever has. */
const message = fc.record({
  added: minutes(0, 60),
  settles: fc.option(minutes(0, 120), { nil: undefined }),
  /** Whether a callback delivers the final receipt as well. */
  called: fc.boolean(),
})

const schedule = fc.record({
  after: minutes(0, 30),
  every: minutes(1, 20),
  /** Milliseconds from `after` to `giveUpAfter`. */
  lives: minutes(1, 90),
  messages: fc.array(message, { minLength: 1, maxLength: 12 }),
  restarts: fc.uniqueArray(minutes(1, 150), { maxLength: 3 }),
})

type Schedule = typeof schedule extends fc.Arbitrary<infer T> ? T : never

let run = 0

/** Runs a schedule. Times are milliseconds from its beginning. */
const play = async ({ after, every, lives, messages, restarts }: Schedule) => {
  const name = (i: number): string => `${run}-${i}`
  run++
  const options = { after, every, giveUpAfter: after + lives, log: { every: DAY, days: 1 } }
  let tested: TestedReconciler = fixtures.reconciler(simulator.url, options)
  const runs = [tested]
  const began = tested.clock.now()
  tested.reconciler.start()
  for (let now = 0; now < 240 * MINUTE; now += MINUTE) {
    if (restarts.includes(now)) {
      await tested.stop()
      tested = fixtures.reconciler(simulator.url, options, tested)
      runs.push(tested)
      tested.reconciler.start()
    }
    for (const [i, { added, settles, called }] of messages.entries()) {
      if (now === added) await tested.watch(name(i))
      if (settles !== undefined && now === added + settles) {
        simulator.setStatus(name(i), 'DELIVERED')
        if (called) await tested.receiveCallback(name(i), 'DELIVERED')
      }
    }
    await tested.advance(MINUTE)
  }
  await tested.stop()
  const queries = runs.flatMap((each) => each.queries)
  return messages.map((each, i) => ({
    ...each,
    queriedAt: queries.flatMap(({ at, ids }) => (ids.includes(name(i)) ? [at - began] : [])),
    published: tested.receipts.filter((receipt) => receipt.startsWith(`${name(i)} `)).length,
    watched: tested.watched.includes(name(i)),
  }))
}

/** The time that a dozen requests and the scans between them take at five requests per second. */
const SLACK = 4 * SECOND

describe('Reconciler with any schedule', () => {
  it(
    'queries each message neither too early nor too late nor too often, never after it is closed, and publishes it once',
    { timeout: 240_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(schedule, async (plan) => {
          const { after, every, lives } = plan
          for (const { added, settles, called, queriedAt, published, watched } of await play(plan)) {
            const due = added + after
            const end = due + lives
            const known = settles === undefined ? Infinity : added + settles
            expect(watched).toBe(false)

            const [first] = queriedAt
            if (first === undefined) expect(called && known <= due + every + SLACK).toBe(true)
            else {
              expect(first).toBeGreaterThanOrEqual(due)
              expect(first).toBeLessThanOrEqual(due + every + SLACK)
            }
            for (const [i, at] of queriedAt.entries()) {
              const before = queriedAt[i - 1]
              if (before === undefined) continue
              expect(at - before).toBeGreaterThanOrEqual(every)
              // A poll begins at most a fifth of `every` after a message becomes due.
              expect(at - before).toBeLessThanOrEqual(every * 1.2 + SLACK)
            }
            // A message that could not be queried in time is queried once more.
            expect(queriedAt.at(-1) ?? 0).toBeLessThanOrEqual(Math.max(end, due + every) + SLACK)
            // The query that finds the receipt is the last one. A callback closes the message before the next query.
            expect(queriedAt.filter((at) => at > known).length).toBeLessThanOrEqual(called ? 0 : 1)
            const found = (called && settles !== undefined) || queriedAt.some((at) => at > known)
            // A query at the very moment at which the status changes may find either status.
            if (!queriedAt.includes(known)) expect(published).toBe(found ? 1 : 0)
            expect(published).toBeLessThanOrEqual(1)
          }
        }),
        { numRuns: Number(process.env['FUZZ_RUNS'] ?? 25) },
      )
    },
  )
})
