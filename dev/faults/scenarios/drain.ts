/**
 * The connector is killed while it drains a long queue with the default page sizes, to count the rows that are gone: those
 * of an answer that was on the wire. Each scenario has another round trip to the provider.
 */
import { until } from '../../wait.js'
import type { MtargetAnswer, MtargetSimulator } from '../../simulators/mtarget.js'
import { ProviderData } from '../../simulators/provider-data.js'
import type { Scenario, ScenarioRun } from '../scenario.js'

const ROUND_TRIPS_MS = [5, 50, 500]
/** The queue is filled up to this length, so that every page is full. */
const MIN_QUEUED_ROWS = 5_000
const FILL_INTERVAL_MS = 20
/** The page size has settled when so many requests in a row asked for about the same number of rows. */
const SETTLED_REQUESTS = 20
const MAX_SETTLED_RATIO = 1.3
/** A kill strikes at a random instant within so many round trips after the page size has settled. */
const ROUND_TRIPS_UNTIL_KILL = 4
/** At 500 ms the page size needs about twenty seconds to settle. */
const SETTLE_TIMEOUT_MS = 120_000

export const drains: readonly Scenario[] = ROUND_TRIPS_MS.map((roundTripMs) => ({
  name: `drain-${roundTripMs}ms`,
  description: `kill -9 while a queue with a round trip of ${roundTripMs} ms is drained, to count the rows that are gone`,
  onlyByName: true,
  configure: ({ sources }) => delete sources['mtarget-fr'].pull['limit'],
  async injectFaults(run) {
    const { mtarget } = run.trial
    mtarget.fault({ latencyMs: roundTripMs }, Infinity)
    const stopFilling = keepFull(mtarget, run.random.integer(1, 1_000_000))
    const drains: MtargetAnswer[][] = []
    try {
      for (let kill = 0; kill < run.scaled(20); kill++) drains.push(await drainAndKill(run, roundTripMs))
    } finally {
      stopFilling()
      mtarget.clearFaults()
    }
    reportDrains(run, drains)
  },
}))

/** @returns a function that ends the filling */
function keepFull(mtarget: MtargetSimulator, seed: number): () => void {
  const data = new ProviderData(seed)
  const fill = (): void => {
    const missing = MIN_QUEUED_ROWS - mtarget.queued
    if (missing > 0) mtarget.enqueue(data.mtargetMix(missing))
  }
  fill()
  const timer = setInterval(fill, FILL_INTERVAL_MS)
  return () => clearInterval(timer)
}

/** @returns the last answers before the kill, with the settled page size */
async function drainAndKill(run: ScenarioRun, roundTripMs: number): Promise<MtargetAnswer[]> {
  const { answers } = run.trial.mtarget
  const first = answers.length
  await run.start()
  await until(() => hasSettled(answers.slice(first)), SETTLE_TIMEOUT_MS)
  await run.pause(0, ROUND_TRIPS_UNTIL_KILL * roundTripMs)
  await run.kill()
  return answers.slice(-SETTLED_REQUESTS)
}

function hasSettled(answers: readonly MtargetAnswer[]): boolean {
  const limits = answers.slice(-SETTLED_REQUESTS).map(({ limit }) => limit)
  return limits.length === SETTLED_REQUESTS && Math.max(...limits) <= MAX_SETTLED_RATIO * Math.min(...limits)
}

function reportDrains(run: ScenarioRun, drains: readonly (readonly MtargetAnswer[])[]): void {
  const pageSizes = drains.map((answers) => answers.at(-1)!.limit)
  const rates = drains.map((answers) => {
    const rows = answers.slice(0, -1).reduce((sum, answer) => sum + answer.rows.length, 0)
    return (1_000 * rows) / (answers.at(-1)!.at - answers[0]!.at)
  })
  run.log(
    `${drains.length} kills; rows asked for when they struck: ${median(pageSizes)} (median), ` +
      `${Math.max(...pageSizes)} (most), ${sum(pageSizes)} in all; ${Math.round(median(rates))} rows a second (median)`,
  )
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
