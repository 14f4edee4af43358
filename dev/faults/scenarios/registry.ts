/** The registry is away, slow, broken, or answers for another schema. */
import { until } from '../../wait.js'
import { type RegistryMode, RegistryProxy } from '../registry-proxy.js'
import type { Scenario, ScenarioRun } from '../scenario.js'

/** The reason for which publishing must wait, in the modes in which the registry gives a wrong answer. */
const EXPECTED_REASONS: Partial<Record<RegistryMode, RegExp>> = {
  'another schema': /stands for another schema/,
  'similar schema': /stands for another schema/,
  'exchanged ids': /gives schema id \d+ for subject .* another schema for that id/,
}
/** The short form reaches only the first two modes. */
const MODES: readonly RegistryMode[] = [
  'away',
  'another schema',
  'exchanged ids',
  'similar schema',
  'slow',
  'silent',
  'error',
  'web page',
  'endless',
]
/** The connector asks the registry again after five seconds, and later on a busy machine. */
const NEXT_REQUEST_TIMEOUT_MS = 20_000

export const registry: Scenario = {
  name: 'registry',
  // The connector asks the registry only after a start, so that it is restarted for each mode.
  description: 'the registry is away, slow or broken, or gives another schema for an id or the id of another subject',
  async prepare({ stack }) {
    const proxy = await RegistryProxy.startInFrontOf(stack.registryUrl)
    return {
      configure: (configuration) => {
        configuration.registry['url'] = proxy.url
      },
      async injectFaults(run) {
        run.load.start()
        for (let round = 0; round < run.scaled(2 * MODES.length); round++) {
          await startInMode(run, proxy, MODES[round % MODES.length]!)
        }
      },
      cleanUp: () => proxy.close(),
    }
  },
}

async function startInMode(run: ScenarioRun, proxy: RegistryProxy, mode: RegistryMode): Promise<void> {
  // From the second start on the connector remembers the ids. It may use them while the registry is away, but not when
  // the registry contradicts them.
  proxy.mode = mode === 'another schema' || mode === 'similar schema' ? 'away' : mode
  await run.start()
  await run.pause(300, 1_500)
  proxy.mode = mode
  await untilRequestedIn(run, proxy, mode)
  const reason = EXPECTED_REASONS[mode]
  if (reason) {
    await expectPublishingToWait(run, reason)
    await run.kill()
  }
  proxy.mode = 'pass'
  if (!run.isUp) await run.start()
  await run.untilMoreIsPublished()
  await run.kill()
}

async function untilRequestedIn(run: ScenarioRun, proxy: RegistryProxy, mode: RegistryMode): Promise<void> {
  const fault = `registry ${mode}`
  const before = run.faults.get(fault) ?? 0
  await until(() => proxy.requestsIn(mode) > before, NEXT_REQUEST_TIMEOUT_MS)
  run.countFault(fault)
}

async function expectPublishingToWait(run: ScenarioRun, reason: RegExp): Promise<void> {
  let publishing: { readonly state: string; readonly reason: string | null } | undefined
  const isWaiting = async (): Promise<boolean> => {
    publishing = (await run.trial.status()).publishing
    return reason.test(publishing.reason ?? '')
  }
  await until(isWaiting, NEXT_REQUEST_TIMEOUT_MS).catch(() => {
    run.problems.push(`Publishing does not wait for ${String(reason)}: ${JSON.stringify(publishing)}`)
  })
}
