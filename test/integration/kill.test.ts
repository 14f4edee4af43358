import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { setTimeout as delay } from 'node:timers/promises'
import { LoadGenerator } from '../../dev/oracle/load-generator.js'
import { listProblems } from '../../dev/oracle/oracle.js'
import { Random } from '../../dev/simulators/random.js'
import { startTrial, untilPublished, type Trial } from '../../dev/trial.js'

const KILLS = 12
const SEED = 9

let trial: Trial
beforeEach(async () => {
  trial = await startTrial({ brokers: inject('brokers'), registryUrl: inject('registryUrl') })
})
afterEach(() => trial.stop())

describe('kill -9 during pulls and callbacks', () => {
  it(
    'loses no callback that was answered 200 and no page that was followed by another request, and doubles nothing',
    { timeout: 300_000 },
    async () => {
      const { mtarget, seven, connector } = trial
      const random = new Random(SEED)
      const target = () => (connector.isRunning ? seven : undefined)
      const load = new LoadGenerator(mtarget, target, { seed: SEED, rowsPerBatch: 100 })
      load.start()
      for (let round = 0; round < KILLS; round++) {
        mtarget.noteClientRestart()
        await connector.start()
        await delay(random.integer(0, 1_500))
        await connector.kill()
      }
      await load.stop()
      mtarget.noteClientRestart()
      await connector.start()
      await untilPublished(trial, 120_000)
      expect(await connector.terminate()).toBe(0)

      const verdict = trial.audit(await trial.readAll())
      expect(verdict.total.owed).toBeGreaterThan(1_000)
      expect(listProblems(verdict)).toEqual([])
    },
  )
})
