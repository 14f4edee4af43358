/** The registry is away, slow, something else, or another one. */
import type { Scenario } from '../ground.js'
import { RegistryProxy, type Mood } from '../registry-proxy.js'

const MOODS: readonly Mood[] = ['away', 'slow', 'errors', 'page', 'silent', 'other']

export const registry: Scenario = {
  name: 'registry',
  about: 'away, slow, silent, errors, web pages, another schema for an id; with restarts, since only those ask again',
  async prepare({ registryUrl }) {
    const proxy = await RegistryProxy.before(registryUrl)
    return { proxy, change: (configuration) => (configuration.registry['url'] = proxy.url), end: () => proxy.close() }
  },
  async faults(ground) {
    const proxy = ground.prepared['proxy'] as RegistryProxy
    ground.load.start()
    for (let round = 0; round < ground.scaled(12); round++) {
      // From the second start on the ids are remembered; without a registry they do.
      const mood = MOODS[round % MOODS.length]!
      proxy.mood = mood === 'other' ? 'away' : mood
      await ground.start()
      await ground.wait(300, 1_500)
      if (mood === 'other') {
        proxy.mood = 'other'
        await ground.wait(6_000, 7_000) // it looks again after five seconds
        const { publishing } = await ground.trial.status()
        if (round > 0 && !/stands for another schema/.test(publishing.reason ?? ''))
          ground.complaints.push(`publishing is ${publishing.state} although an id means something else`)
        await ground.kill()
      }
      proxy.mood = 'well'
      ground.count(`registry ${mood}`)
      if (!ground.isUp) await ground.start()
      await ground.untilPublishingGoesOn()
      await ground.kill()
    }
  },
}
