/** Half an hour of one load, with a broker that dies again and again: what grows, grows until it is seen. */
import { setTimeout as delay } from 'node:timers/promises'
import { growth, look, type Phase, phaseOf, Watch } from '../resource-samples.js'
import type { ScenarioRun, Scenario } from '../scenario-run.js'

/** Milliseconds from one death of the broker to the next, and how long it stays away. */
const ROUND = 180_000
const AWAY = 30_000
/** Fewer than come in a few minutes: the journal's file has its full size early. */
const MOST_IDS = 50_000
/** Seconds: what is in custody is on its way, and no backlog. */
const ON_ITS_WAY = 2

export const steady: Scenario = {
  name: 'steady',
  about: 'half an hour of steady load; the broker killed every three minutes and away for half of one',
  needs: 'own stack',
  byNameOnly: true,
  prepare: () =>
    Promise.resolve({
      change: (configuration) => {
        // As a user runs it whose queue is never empty for long.
        delete configuration.kafka['requestTimeout']
        const { pull } = configuration.sources['mtarget-fr']
        for (const setting of ['limit', 'timeout']) delete pull[setting]
        pull['idleDelay'] = '1s'
        configuration['duplicates'] = { maxIds: MOST_IDS }
      },
    }),
  async faults(ground) {
    await ground.start()
    ground.load.start()
    await ground.untilPublishingGoesOn()
    const phases: Phase[] = []
    for (let number = 1; number <= ground.scaled(10); number++) {
      const { phase, drained } = await oneRound(ground)
      phases.push(phase)
      ground.count('broker kill -9')
      ground.say(
        `round ${number}: ${phase.mostEntries} entries waited, none ${drained} s after the broker was back; ` +
          `memory ${Math.round(phase.memory)} MiB, at most ${Math.round(phase.mostMemory)}; file ${Math.round(phase.file)} MiB`,
      )
    }
    ground.complaints.push(...growth(phases))
  },
}

/** @returns what was seen, and the seconds from the broker's first answer until nothing waited any more */
async function oneRound(ground: ScenarioRun): Promise<{ phase: Phase; drained: number }> {
  const ends = Date.now() + ROUND
  const { broker } = ground.stack
  const watch = new Watch(ground.trial)
  try {
    await broker!.kill()
    await delay(AWAY)
    await broker!.restart()
    const back = Date.now()
    while ((await look(ground.trial)).oldest > ON_ITS_WAY) {
      if (Date.now() > ends) throw new Error('the backlog was not drained before the next outage')
      await delay(200)
    }
    const drained = Math.round((Date.now() - back) / 1_000)
    await delay(Math.max(0, ends - Date.now()))
    return { phase: phaseOf(watch.looks), drained }
  } finally {
    await watch.stop()
  }
}
