/** The broker dies or hangs. */
import type { BrokerHandle } from '../../stack/index.js'
import type { Scenario, ScenarioRun } from '../scenario.js'

export const broker: Scenario = {
  name: 'broker',
  description: 'the broker is killed and restarted, or stopped (SIGSTOP) for longer than the timeouts, under load',
  needs: 'own stack',
  prepare: ({ stack }) => ({
    async injectFaults(run) {
      await run.start()
      run.load.start()
      for (let fault = 0; fault < run.scaled(25); fault++) {
        await disturbBroker(run, stack.broker!)
        if (run.random.chance(0.5)) await run.untilMoreIsPublished()
      }
    },
  }),
}

export const brokerAndKills: Scenario = {
  name: 'broker+kill',
  description: 'the broker is killed or stopped, while the connector is killed every second or two',
  needs: 'own stack',
  prepare: ({ stack }) => ({
    async injectFaults(run) {
      run.load.start()
      let isOver = false
      const killing = (async () => {
        while (!isOver) await run.startAndKill(2_500)
      })()
      try {
        for (let fault = 0; fault < run.scaled(25); fault++) await disturbBroker(run, stack.broker!)
      } finally {
        isOver = true
        await killing
      }
    },
  }),
}

export async function disturbBroker(run: ScenarioRun, handle: BrokerHandle): Promise<void> {
  await run.pause(100, 1_000)
  if (run.random.chance(0.3)) {
    await handle.kill()
    await run.pause(0, 500)
    await handle.restart()
    run.countFault('broker kill -9')
    return
  }
  await handle.pause()
  try {
    // Shorter and longer than a request, and longer than everything that waits for one.
    await run.pause(700, 4_000)
  } finally {
    await handle.resume()
  }
  run.countFault('broker SIGSTOP')
}
