/** A trial with the defaults of a user, whose figures are measured. */
import type { Stack } from '../dev/stack/index.js'
import { startTrial, type Trial, type TrialConfiguration } from '../dev/trial.js'
import { until } from '../dev/wait.js'

const MEASUREMENT_TIMEOUT_MS = 600_000

/** Starts a trial, and resolves when it publishes, so that start-up is no part of the measurement. */
export async function startMeasuredTrial(
  stack: Stack,
  configure: (configuration: TrialConfiguration) => void,
): Promise<Trial> {
  const trial = await startTrial(stack, configure)
  await trial.connector.start()
  await untilSumReaches(trial, 'dlrmo_publishing', 1)
  return trial
}

/** Resolves when the sum of a metric over all its labels has reached `wanted`. */
export const untilSumReaches = (trial: Trial, metric: string, wanted: number): Promise<void> =>
  until(async () => (await trial.sum(metric)) >= wanted, MEASUREMENT_TIMEOUT_MS)

/** CPU time that the connector has used since its start. */
export const cpuSeconds = (trial: Trial): Promise<number> => trial.sum('process_cpu_seconds_total')
