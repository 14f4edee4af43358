import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { SevenSimulator } from '../../dev/simulators/seven.js'
import { MINUTE, ReconcilerBench, SECOND, TestedReconciler } from '../support/reconciler.js'

const bench = new ReconcilerBench()
let simulator: SevenSimulator
beforeAll(async () => {
  simulator = await SevenSimulator.start()
})
afterAll(() => simulator.stop())
afterEach(() => bench.stopAll())

const DAY = 24 * 60 * MINUTE

/** A message: when it is handed in, and how long from then its final status is known to the provider, if ever. */
const message = fc.record({
  added: fc.integer({ min: 0, max: 60 }),
  settles: fc.option(fc.integer({ min: 0, max: 120 }), { nil: undefined }),
  /** Whether a callback brings it, beside what the query finds. */
  called: fc.boolean(),
})

/** Times in minutes. */
const schedule = fc.record({
  after: fc.integer({ min: 0, max: 30 }),
  every: fc.integer({ min: 1, max: 20 }),
  lives: fc.integer({ min: 1, max: 90 }),
  messages: fc.array(message, { minLength: 1, maxLength: 12 }),
  /** Restarts, by the minute. */
  restarts: fc.uniqueArray(fc.integer({ min: 1, max: 150 }), { maxLength: 3 }),
})

type Schedule = typeof schedule extends fc.Arbitrary<infer T> ? T : never

let run = 0

const play = async ({ after, every, lives, messages, restarts }: Schedule) => {
  const name = (i: number): string => `${run}-${i}`
  run++
  const options = {
    after: after * MINUTE,
    every: every * MINUTE,
    giveUpAfter: (after + lives) * MINUTE,
    journal: { every: DAY, days: 1 },
  }
  let tested: TestedReconciler = bench.reconciler(simulator.url, options)
  const runs = [tested]
  const began = tested.clock.now()
  tested.reconciler.start()
  for (let minute = 0; minute < 240; minute++) {
    if (restarts.includes(minute)) {
      await tested.stop()
      tested = bench.reconciler(simulator.url, options, tested)
      runs.push(tested)
      tested.reconciler.start()
    }
    for (const [i, { added, settles, called }] of messages.entries()) {
      if (minute === added) await tested.watch(name(i))
      if (settles !== undefined && minute === added + settles) {
        simulator.setStatus(name(i), 'DELIVERED')
        if (called) await tested.callback(name(i), 'DELIVERED')
      }
    }
    await tested.pass(MINUTE)
  }
  await tested.stop()
  const queries = runs.flatMap((each) => each.queries)
  return messages.map((each, i) => ({
    ...each,
    asked: queries.flatMap(({ at, ids }) => (ids.includes(name(i)) ? [(at - began) / MINUTE] : [])),
    published: tested.receipts.filter((receipt) => receipt.startsWith(`${name(i)} `)).length,
    watched: tested.watched.includes(name(i)),
  }))
}

describe('whatever the schedule', () => {
  it(
    'each message is asked for neither too early nor too late nor too often, never after it is closed, and published once',
    { timeout: 240_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(schedule, async (plan) => {
          const { after, every, lives, restarts } = plan
          /** Fifteen requests at five a second, and the walks between them. */
          const slack = (4 * SECOND) / MINUTE
          for (const { added, settles, called, asked, published, watched } of await play(plan)) {
            const end = added + after + lives
            const known = settles === undefined ? Infinity : added + settles
            expect(watched).toBe(false)
            const [first] = asked
            if (first !== undefined) expect(first).toBeGreaterThanOrEqual(added + after)
            // Nobody closes it before: then it is asked for in time.
            if (known > added + after + every + 1 || (!called && settles !== undefined)) {
              const latest = Math.min(added + after + every, end) + slack
              if (end > added + after + every) expect(first).toBeLessThanOrEqual(latest)
            }
            for (const [i, at] of asked.entries()) {
              const before = asked[i - 1]
              if (before === undefined) continue
              expect(at - before).toBeGreaterThanOrEqual(every)
              // A round begins at the latest a fifth of `every` after a message is due; a restart may cut a request off.
              expect(at - before).toBeLessThanOrEqual(every * 1.2 + slack + (restarts.length > 0 ? slack : 0))
            }
            const last = asked.at(-1) ?? 0
            expect(last).toBeLessThanOrEqual(end + slack)
            // The query that finds it is the last one; a callback closes it before the next.
            expect(asked.filter((at) => at > known + slack).length).toBeLessThanOrEqual(called ? 0 : 1)
            const found = called || asked.some((at) => at >= known + slack)
            expect(published).toBe(settles !== undefined && found ? 1 : published === 1 ? 1 : 0)
          }
        }),
        { numRuns: 25 },
      )
    },
  )
})
