import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest'
import { contentKey } from '../../dev/demo/ledger.js'
import { ProviderData } from '../../dev/simulators/provider-data.js'
import { Random } from '../../dev/simulators/random.js'
import { startTrial, untilPublished, type Trial } from '../../dev/trial.js'

const KILLS = 12

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
      const data = new ProviderData(9)
      const random = new Random(9)
      const called: { id: string; answered: boolean }[] = []
      for (let round = 0; round < KILLS; round++) {
        trial.mtarget.noteClientRestart()
        trial.mtarget.enqueue(data.mtargetMix(2000))
        await trial.connector.start()
        let killed = false
        const calls = (async () => {
          while (!killed) {
            const events = data.sevenReceipts(50).map((each) => ({ kind: 'dlr', data: each }) as const)
            const outcomes = await trial.seven.send(events)
            outcomes.forEach(({ status }, index) =>
              called.push({ id: contentKey({ ...events[index]!.data }), answered: status === 200 }),
            )
          }
        })()
        await new Promise((resolve) => setTimeout(resolve, random.integer(0, 1500)))
        await trial.connector.kill()
        killed = true
        await calls
      }
      trial.mtarget.noteClientRestart()
      await trial.connector.start()
      await untilPublished(trial, 120_000)
      expect(await trial.connector.terminate()).toBe(0)

      const seen = await trial.readAll()
      const found = new Map<string, number>()
      for (const { value } of seen) {
        const key = contentKey(value['raw'] as Record<string, string>)
        found.set(key, (found.get(key) ?? 0) + 1)
      }
      const owed = [
        ...trial.mtarget.owed().map((row) => contentKey(row)),
        ...called.filter(({ answered }) => answered).map(({ id }) => id),
      ]
      expect(owed.length).toBeGreaterThan(1000)
      expect(owed.filter((key) => !found.has(key))).toEqual([])
      expect([...found].filter(([, times]) => times > 1)).toEqual([])
      expect(seen.filter(({ topic }) => topic === trial.topics.deadLetter)).toEqual([])
    },
  )
})
