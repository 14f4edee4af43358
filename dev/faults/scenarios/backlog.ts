/** The backlog of an outage of Kafka that lasts for hours. */
import { until } from '../../wait.js'
import { findGrowth, ResourceMonitor, summarize, type ResourceSample } from '../resource-samples.js'
import type { Scenario, ScenarioRun } from '../scenario.js'

/** Entries of the backlog: callbacks with one receipt each. */
const BACKLOG_ENTRIES = 1_000_000
/** A slow machine publishes a million entries within this time. */
const DRAIN_TIMEOUT_MS = 3_600_000
/** The number of parts of equal length in which the samples of the drain are summarised. */
const PARTS = 6
/** One sample is taken each second. With fewer samples only the start of the drain is covered, in which memory grows. */
const MIN_SAMPLES = 60

export const backlog: Scenario = {
  name: 'backlog',
  description:
    'a million callbacks arrive while the broker is away; then kill -9, a start, and the return of the broker',
  needs: 'own stack',
  onlyByName: true,
  prepare: ({ stack }) => ({
    configure: ({ kafka }) => delete kafka['requestTimeout'],
    async injectFaults(run) {
      const { trial } = run
      await run.start()
      await stack.broker!.kill()
      run.countFault('broker kill -9')
      const { seconds } = await run.sendBurst(run.scaled(BACKLOG_ENTRIES))
      const entries = await trial.metric('dlrmo_journal_entries')
      run.log(`${entries} entries are in custody after ${Math.round(seconds)} s`)

      await run.kill()
      const startedAt = performance.now()
      await run.start()
      run.log(`the connector is ready ${secondsSince(startedAt).toFixed(1)} s after its start`)

      const monitor = new ResourceMonitor(trial)
      try {
        await stack.broker!.restart()
        await run.untilMoreIsPublished()
        const drainStartedAt = performance.now()
        await until(async () => (await trial.metric('dlrmo_journal_entries')) === 0, DRAIN_TIMEOUT_MS)
        const drainSeconds = secondsSince(drainStartedAt)
        run.log(`published in ${Math.round(drainSeconds)} s, ${Math.round(entries / drainSeconds)} entries a second`)
      } finally {
        await monitor.stop()
      }
      reportResources(
        run,
        monitor.samples.filter((sample) => sample.entries > 0),
      )
    },
  }),
}

const secondsSince = (start: number): number => (performance.now() - start) / 1_000

function reportResources(run: ScenarioRun, samples: readonly ResourceSample[]): void {
  const boundary = (part: number): number => Math.round((part * samples.length) / PARTS)
  const parts = Array.from({ length: PARTS }, (_, part) => samples.slice(boundary(part), boundary(part + 1)))
  const summaries = parts.map(summarize)
  const whole = summarize(samples)
  run.log(
    `memory in each sixth of that time: ${summaries.map(({ memoryMiB }) => Math.round(memoryMiB)).join(', ')} MiB, ` +
      `at most ${Math.round(whole.maxMemoryMiB)} MiB; journal file ${Math.round(whole.fileMiB)} MiB`,
  )
  if (samples.length >= MIN_SAMPLES) run.problems.push(...findGrowth(summaries))
}
