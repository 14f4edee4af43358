/** Neither Kafka nor registry at the start: what is taken in survives kill -9, and comes out when both are there. */
import type { Scenario } from '../scenario-run.js'

export const boot: Scenario = {
  name: 'boot',
  about: 'started without Kafka and registry, callbacks and pages taken, kill -9 again and again, then both come up',
  needs: 'own stack',
  async faults(ground) {
    const { broker, registry } = ground.stack
    await Promise.all([broker!.kill(), registry!.stop()])
    ground.load.start()
    // In an order that the seed decides.
    const comings = [() => broker!.restart(), () => registry!.start()]
    if (ground.random.chance(0.5)) comings.reverse()
    try {
      for (let kill = 0; kill < ground.scaled(6); kill++) await ground.liveAndDie(3_000)
      await ground.start()
    } finally {
      for (const come of comings) await come()
    }
    ground.count('boot without Kafka')
    await ground.untilPublishingGoesOn()
  },
}
