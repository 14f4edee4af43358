/** The broker slows this client down. */
import { setProducerQuota } from '../../kafka/quotas.js'
import { ProviderData } from '../../simulators/provider-data.js'
import type { Scenario } from '../scenario.js'

/** About what the load needs: a backlog, as after a kill or of a queue, is throttled, and yet published in the end. */
const QUOTAS_BYTES_PER_SECOND = [100_000, 200_000, 400_000] as const
const NO_QUOTA_BYTES_PER_SECOND = 100_000_000
const QUEUED_MESSAGES = 1_000
const UNTIL_PUBLISHED_TIMEOUT_MS = 180_000

export const quota: Scenario = {
  name: 'quota',
  description: 'a producer quota of the broker throttles the connector, which is killed meanwhile',
  needs: 'own stack',
  async injectFaults(run) {
    const data = new ProviderData(run.random.integer(1, 1_000_000))
    const [broker] = run.trial.stack.brokers
    const setQuota = (bytesPerSecond: number): Promise<void> =>
      setProducerQuota(broker!, `dlr-mo-connector.${run.trial.name}`, bytesPerSecond)
    await run.start()
    run.load.start()
    for (let round = 0; round < run.scaled(10); round++) {
      await setQuota(run.random.pick(QUOTAS_BYTES_PER_SECOND))
      run.countFault('producer quota')
      run.trial.mtarget.enqueue(data.mtargetMessages(QUEUED_MESSAGES))
      await run.untilMoreIsPublished(UNTIL_PUBLISHED_TIMEOUT_MS)
      await run.pause(0, 3_000)
      if (run.random.chance(0.5)) await run.killAndRestart()
      await run.untilMoreIsPublished(UNTIL_PUBLISHED_TIMEOUT_MS)
      if (run.random.chance(0.3)) await setQuota(NO_QUOTA_BYTES_PER_SECOND)
    }
    await setQuota(NO_QUOTA_BYTES_PER_SECOND)
  },
}
