/** Half an hour of constant load, in which anything that grows is noticed, while the broker is killed repeatedly. */
import { setTimeout as delay } from 'node:timers/promises'
import type { BrokerHandle } from '../../stack/index.js'
import { until } from '../../wait.js'
import { findGrowth, ResourceMonitor, sampleResources, summarize, type ResourceSummary } from '../resource-samples.js'
import type { Scenario, ScenarioRun } from '../scenario.js'

/** From one kill of the broker to the next. */
const ROUND_MS = 180_000
const BROKER_DOWN_MS = 30_000
/** The load fills the duplicate index within minutes, so that the file of the journal reaches its full size early. */
const MAX_IDS = 50_000
/** Entries that are not older than this are on their way; older ones are a backlog. */
const BACKLOG_AGE_SECONDS = 2

export const steady: Scenario = {
  name: 'steady',
  description:
    'half an hour of constant load; every three minutes the broker is killed and stays away for half a minute',
  needs: 'own stack',
  onlyByName: true,
  prepare: ({ stack }) => ({
    configure: (configuration) => {
      // The defaults of a user whose queue is never empty for long.
      delete configuration.kafka['requestTimeout']
      const { pull } = configuration.sources['mtarget-fr']
      delete pull['limit']
      delete pull['timeout']
      pull['idleDelay'] = '1s'
      configuration['duplicates'] = { maxIds: MAX_IDS }
    },
    async injectFaults(run) {
      await run.start()
      run.load.start()
      await run.untilMoreIsPublished()
      const summaries: ResourceSummary[] = []
      for (let round = 1; round <= run.scaled(10); round++) {
        const { summary, drainSeconds } = await runRound(run, stack.broker!)
        summaries.push(summary)
        run.countFault('broker kill -9')
        run.log(
          `round ${round}: at most ${summary.maxEntries} entries waited, and none ${drainSeconds} s after the broker was ` +
            `back; memory ${Math.round(summary.memoryMiB)} MiB, at most ${Math.round(summary.maxMemoryMiB)} MiB; ` +
            `journal file ${Math.round(summary.fileMiB)} MiB`,
        )
      }
      run.problems.push(...findGrowth(summaries))
    },
  }),
}

/** @returns `drainSeconds`: the time from the return of the broker until there was no backlog any more */
async function runRound(
  { trial }: ScenarioRun,
  broker: BrokerHandle,
): Promise<{ readonly summary: ResourceSummary; readonly drainSeconds: number }> {
  const endsAt = Date.now() + ROUND_MS
  const monitor = new ResourceMonitor(trial)
  try {
    await broker.kill()
    await delay(BROKER_DOWN_MS)
    await broker.restart()
    const brokerBackAt = Date.now()
    const isDrained = async (): Promise<boolean> =>
      (await sampleResources(trial)).oldestAgeSeconds <= BACKLOG_AGE_SECONDS
    await until(isDrained, endsAt - Date.now())
    const drainSeconds = Math.round((Date.now() - brokerBackAt) / 1_000)
    await delay(Math.max(0, endsAt - Date.now()))
    return { summary: summarize(monitor.samples), drainSeconds }
  } finally {
    await monitor.stop()
  }
}
