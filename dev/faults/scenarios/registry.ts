/** The registry is away, slow, something else, or another one. */
import { until } from '../../wait.js'
import type { ScenarioRun, Scenario } from '../scenario-run.js'
import { type Mood, RegistryProxy } from '../registry-proxy.js'

/** What publishing must wait for, with which words, where the registry says what is not so. */
const LIES: Partial<Record<Mood, RegExp>> = {
  other: /stands for another schema/,
  similar: /stands for another schema/,
  'mixed up': /gives schema id \d+ for subject .* another schema for that id/,
}
/** The short form gets no further than the second. */
const MOODS: readonly Mood[] = ['away', 'other', 'mixed up', 'similar', 'slow', 'silent', 'errors', 'page', 'endless']
/** Milliseconds until a mood is met: it looks again after five seconds, longer on a busy machine. */
const PATIENCE = 20_000

export const registry: Scenario = {
  name: 'registry',
  about:
    'away, slow, silent, errors, web pages, endless, another schema for an id or another id for a subject; with restarts, since only those ask again',
  async prepare({ registryUrl }) {
    const proxy = await RegistryProxy.before(registryUrl)
    return { proxy, change: (configuration) => (configuration.registry['url'] = proxy.url), end: () => proxy.close() }
  },
  async faults(ground) {
    const proxy = ground.prepared['proxy'] as RegistryProxy
    ground.load.start()
    for (let round = 0; round < ground.scaled(2 * MOODS.length); round++) {
      const mood = MOODS[round % MOODS.length]!
      // From the second start on the ids are remembered: without a registry they do, and must not when it denies them.
      proxy.mood = mood === 'other' || mood === 'similar' ? 'away' : mood
      await ground.start()
      await ground.wait(300, 1_500)
      proxy.mood = mood
      await isMet(ground, proxy)
      const lie = LIES[mood]
      if (lie) {
        await waitsFor(ground, lie)
        await ground.kill()
      }
      proxy.mood = 'well'
      if (!ground.isUp) await ground.start()
      await ground.untilPublishingGoesOn()
      await ground.kill()
    }
  },
}

async function isMet(ground: ScenarioRun, { mood, met }: RegistryProxy): Promise<void> {
  const before = ground.counts.get(`registry ${mood}`) ?? 0
  await until(() => (met.get(mood) ?? 0) > before, PATIENCE)
  ground.count(`registry ${mood}`)
}

async function waitsFor(ground: ScenarioRun, reason: RegExp): Promise<void> {
  let found: { readonly state: string; readonly reason: string | null } | undefined
  await until(async () => {
    found = (await ground.trial.status()).publishing
    return reason.test(found.reason ?? '')
  }, PATIENCE).catch(() =>
    ground.complaints.push(`publishing does not wait for ${String(reason)}: ${JSON.stringify(found)}`),
  )
}
