/** Leaders and coordinators move; replicas are not enough for acks=all. */
import { Cluster } from '../broker-cluster.js'
import type { Scenario } from '../scenario-run.js'

/** Of the three, those that may go. */
const MORTAL = [1, 2] as const

export const threeBrokers: Scenario = {
  name: 'three-brokers',
  about: 'three brokers: one or two of them killed or stopped, so that leaders and coordinators move and replicas lack',
  needs: 'three brokers',
  async prepare({ registryUrl }) {
    const cluster = await Cluster.start()
    return {
      stack: { brokers: cluster.addresses, registryUrl },
      cluster,
      change: ({ kafka }) => (kafka['createTopics'] = { partitions: 6, replicationFactor: 3 }),
      end: () => cluster.stop(),
    }
  },
  async faults(ground) {
    const cluster = ground.prepared['cluster'] as Cluster
    const { random } = ground
    await ground.start()
    ground.load.start()
    for (let fault = 0; fault < ground.scaled(12); fault++) {
      await ground.wait(300, 2_000)
      const victims = random.chance(0.3) ? MORTAL : [random.pick(MORTAL)]
      if (random.chance(0.5)) {
        await Promise.all(victims.map((each) => cluster.kill(each)))
        await ground.wait(500, 3_000)
        await Promise.all(victims.map((each) => cluster.restart(each)))
        ground.count('broker kill -9', victims.length)
      } else {
        for (const each of victims) cluster.signal(each, 'SIGSTOP')
        await ground.wait(2_000, 6_000)
        for (const each of victims) cluster.signal(each, 'SIGCONT')
        ground.count('broker SIGSTOP', victims.length)
      }
      if (victims.length > 1) ground.count('not enough replicas')
      if (random.chance(0.3)) await ground.kill()
      if (!ground.isUp) await ground.start()
      await ground.untilPublishingGoesOn()
    }
  },
}
