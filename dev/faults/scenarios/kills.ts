/** The connector is killed at any instant, or at a named step of the flow. */
import { compileLibrary, removeLibrary } from '../../fault-injection/native-library.js'
import { DISK_SOURCE, killAtDiskStep, killAtStep } from '../preload.js'
import { ProviderData } from '../../simulators/provider-data.js'
import type { Scenario, ScenarioRun } from '../scenario.js'

/** Steps by how often they are passed, with the highest number of the passage at which the connector is killed. */
const STEPS: readonly (readonly [steps: readonly string[], maxPassage: number])[] = [
  [['custody', 'answer'], 60],
  [['ask'], 10],
  [['begin', 'position', 'send', 'commit', 'publish', 'release'], 5],
  [['open', 'recover'], 1],
]
/** Without transactions these steps are never passed. */
const TRANSACTION_STEPS = ['begin', 'position', 'commit']
const DISK_STEPS = ['write-before', 'write-after', 'fsync-before', 'fsync-after']

/** A step that is not reached within this time is counted as missed. On a busy machine a step can take long. */
const STEP_TIMEOUT_MS = 40_000

export const kills: Scenario = {
  name: 'kill',
  description: 'kill -9 of the connector at random instants, during its start too',
  async injectFaults(run) {
    run.load.start()
    for (let kill = 0; kill < run.scaled(40); kill++) await run.startAndKill()
  },
}

/** A page with so many rows is published in three transactions. */
const LARGE_PAGE_ROWS = 50_000

export const largeEntries: Scenario = {
  name: 'large-entries',
  description: 'kill -9 while pages are published that need several transactions each',
  configure: ({ sources }) => {
    sources['mtarget-fr'].pull['limit'] = { min: LARGE_PAGE_ROWS, start: LARGE_PAGE_ROWS, max: LARGE_PAGE_ROWS }
  },
  async injectFaults(run) {
    const data = new ProviderData(run.random.integer(1, 1_000_000))
    run.load.start()
    await run.start()
    for (let page = 0; page < run.scaled(10); page++) {
      run.trial.mtarget.enqueue(data.mtargetMix(LARGE_PAGE_ROWS))
      for (let kill = 0; kill < 4; kill++) {
        await run.untilMoreIsPublished()
        await run.pause(0, 1_500)
        await run.killAndRestart()
      }
    }
  },
}

export const steps: Scenario = {
  name: 'steps',
  description:
    'kill -9 before, during and after each step: custody, answer, ask, begin, position, send, commit, release',
  prepare: ({ delivery }) => ({
    async injectFaults(run) {
      run.load.start()
      const missed: string[] = []
      let killed = 0
      for (const [names, maxPassage] of STEPS) {
        for (const name of names) {
          if (delivery === 'at-least-once' && TRANSACTION_STEPS.includes(name)) continue
          for (const side of ['before', 'during', 'after']) {
            const step = `${name}-${side}`
            if (await isKilledWith(run, killAtStep(step, run.random.integer(1, maxPassage)))) killed++
            else missed.push(step)
          }
        }
      }
      // A busy machine may not reach one or two of the steps.
      if (missed.length > killed / 3) run.problems.push(`These steps were not reached: ${missed.join(', ')}`)
    },
  }),
}

export const diskSteps: Scenario = {
  name: 'disk-steps',
  description: 'kill -9 before and after the n-th write and the n-th fsync of the journal',
  needs: 'a C compiler',
  prepare: () => {
    const library = compileLibrary(DISK_SOURCE)
    return {
      async injectFaults(run) {
        run.load.start()
        for (let round = 0; round < run.scaled(6); round++) {
          for (const step of DISK_STEPS) {
            await isKilledWith(run, killAtDiskStep(library, step, run.random.integer(1, 400)))
          }
        }
        if (!run.faults.has('step reached')) run.problems.push('No write and no fsync was reached')
      },
      cleanUp: () => removeLibrary(library),
    }
  },
}

/** Starts the connector with an environment that kills it. @returns whether that happened */
async function isKilledWith(run: ScenarioRun, env: Readonly<Record<string, string>>): Promise<boolean> {
  await run.launch({ env })
  const isReached = await run.untilKilledFromWithin(STEP_TIMEOUT_MS)
  if (isReached) run.countFault('step reached')
  return isReached
}
