/** Neither Kafka nor the registry runs when the connector starts. */
import type { Scenario } from '../scenario.js'

export const boot: Scenario = {
  name: 'boot',
  description: 'the connector starts without Kafka and registry and is killed repeatedly; then both come up',
  needs: 'own stack',
  prepare: ({ stack }) => ({
    async injectFaults(run) {
      const broker = stack.broker!
      const registry = stack.registry!
      await Promise.all([broker.kill(), registry.stop()])
      run.load.start()
      // The seed decides which of the two comes up first.
      const starts = [() => broker.restart(), () => registry.start()]
      if (run.random.chance(0.5)) starts.reverse()
      try {
        for (let kill = 0; kill < run.scaled(6); kill++) await run.startAndKill(3_000)
        await run.start()
      } finally {
        for (const start of starts) await start()
      }
      run.countFault('start without Kafka and registry')
      await run.untilMoreIsPublished()
    },
  }),
}
