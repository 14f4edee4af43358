/** Leaders and coordinators move, and replicas become too few for acks=all. */
import { BrokerCluster } from '../broker-cluster.js'
import type { Scenario, ScenarioRun } from '../scenario.js'

/** The indices of the brokers that are no controller. */
const VICTIMS = [1, 2] as const

export const threeBrokers: Scenario = {
  name: 'three-brokers',
  description: 'one or two of three brokers are killed or stopped, so that leaders move and replicas become too few',
  needs: 'three brokers',
  async prepare({ stack: { registryUrl } }) {
    const cluster = await BrokerCluster.start()
    return {
      stack: { brokers: cluster.addresses, registryUrl },
      configure: ({ kafka }) => {
        kafka['createTopics'] = { partitions: 6, replicationFactor: 3 }
      },
      async injectFaults(run) {
        await run.start()
        run.load.start()
        for (let fault = 0; fault < run.scaled(12); fault++) {
          await run.pause(300, 2_000)
          await disturbBrokers(run, cluster)
          if (run.random.chance(0.3)) await run.kill()
          if (!run.isUp) await run.start()
          await run.untilMoreIsPublished()
        }
      },
      cleanUp: () => cluster.stop(),
    }
  },
}

async function disturbBrokers(run: ScenarioRun, cluster: BrokerCluster): Promise<void> {
  const { random } = run
  const victims = random.chance(0.3) ? VICTIMS : [random.pick(VICTIMS)]
  if (random.chance(0.5)) {
    await Promise.all(victims.map((index) => cluster.kill(index)))
    await run.pause(500, 3_000)
    await Promise.all(victims.map((index) => cluster.restart(index)))
    run.countFault('broker kill -9', victims.length)
  } else {
    for (const index of victims) cluster.signal(index, 'SIGSTOP')
    await run.pause(2_000, 6_000)
    for (const index of victims) cluster.signal(index, 'SIGCONT')
    run.countFault('broker SIGSTOP', victims.length)
  }
  if (victims.length > 1) run.countFault('not enough replicas')
}
