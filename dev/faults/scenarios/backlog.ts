/** What has come while Kafka was away for hours. */
import { growth, phaseOf, Watch } from '../resource-samples.js'
import type { Scenario } from '../scenario-run.js'
import { until } from '../../wait.js'

/** Entries: callbacks, one receipt each. */
const BACKLOG = 1_000_000
/** Milliseconds; a million at the pace of a slow machine. */
const DRAINING = 3_600_000
/** In so many parts the looks at a drain are compared. */
const PHASES = 6
/** Seconds, and looks. */
const LONG_ENOUGH = 60

export const backlog: Scenario = {
  name: 'backlog',
  about: 'a million callbacks while the broker is away, kill -9, a start, and the broker comes back',
  needs: 'own stack',
  byNameOnly: true,
  prepare: () => Promise.resolve({ change: ({ kafka }) => delete kafka['requestTimeout'] }),
  async faults(ground) {
    const { trial, load, stack } = ground
    await ground.start()
    await stack.broker!.kill()
    ground.count('broker kill -9')
    const { seconds } = await load.flood(ground.scaled(BACKLOG))
    const entries = await trial.metric('dlrmo_journal_entries')
    ground.say(`${entries} entries in custody after ${Math.round(seconds)} s`)

    await ground.kill()
    const opening = performance.now()
    await ground.start()
    ground.say(`ready ${((performance.now() - opening) / 1_000).toFixed(1)} s after the start, with all of them`)

    const watch = new Watch(trial)
    try {
      await stack.broker!.restart()
      await ground.untilPublishingGoesOn()
      const draining = performance.now()
      await until(async () => (await trial.metric('dlrmo_journal_entries')) === 0, DRAINING)
      const lasted = (performance.now() - draining) / 1_000
      ground.say(`drained in ${Math.round(lasted)} s, ${Math.round(entries / lasted)} entries a second`)
    } finally {
      await watch.stop()
    }
    const drain = watch.looks.filter((each) => each.entries > 0)
    const phases = inParts(drain, PHASES).map(phaseOf)
    ground.say(
      `memory of each sixth of that: ${phases.map(({ memory }) => Math.round(memory)).join(', ')} MiB, ` +
        `at most ${Math.round(phaseOf(drain).mostMemory)}; file ${Math.round(phaseOf(drain).file)} MiB`,
    )
    // Of a short drain only the beginning is seen, in which it grows.
    if (drain.length >= LONG_ENOUGH) ground.complaints.push(...growth(phases))
  },
}

function inParts<T>(all: readonly T[], parts: number): T[][] {
  const border = (part: number): number => Math.round((part * all.length) / parts)
  return Array.from({ length: parts }, (_, part) => all.slice(border(part), border(part + 1)))
}
