/** The broker dies, hangs, aborts, refuses and forgets. */
import type { ScenarioRun, Scenario } from '../scenario-run.js'

export const broker: Scenario = {
  name: 'broker',
  about: 'kill -9 and restart of the broker, SIGSTOP for longer than the time-outs, under load',
  needs: 'own stack',
  async faults(ground) {
    await ground.start()
    ground.load.start()
    for (let fault = 0; fault < ground.scaled(25); fault++) {
      await ground.wait(100, 1_000)
      if (ground.random.chance(0.3)) await killBroker(ground)
      else await stopBroker(ground)
      if (ground.random.chance(0.5)) await ground.untilPublishingGoesOn()
    }
  },
}

export const brokerAndKills: Scenario = {
  name: 'broker+kill',
  about: 'the same, while the connector is killed every second or two',
  needs: 'own stack',
  async faults(ground) {
    ground.load.start()
    let over = false
    const killing = (async () => {
      while (!over) await ground.liveAndDie(2_500)
    })()
    try {
      for (let fault = 0; fault < ground.scaled(25); fault++) {
        await ground.wait(100, 1_000)
        if (ground.random.chance(0.3)) await killBroker(ground)
        else await stopBroker(ground)
      }
    } finally {
      over = true
      await killing
    }
  },
}

async function killBroker(ground: ScenarioRun): Promise<void> {
  await ground.stack.broker!.kill()
  await ground.wait(0, 500)
  await ground.stack.broker!.restart()
  ground.count('broker kill -9')
}

/** Shorter and longer than a request, and than all that is waited for. */
async function stopBroker(ground: ScenarioRun): Promise<void> {
  const { broker: handle } = ground.stack
  await handle!.pause()
  try {
    await ground.wait(700, 4_000)
  } finally {
    await handle!.resume()
  }
  ground.count('broker SIGSTOP')
}
