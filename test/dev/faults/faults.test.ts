/**
 * The short form of the fault suite: a few seconds of each kind of fault. `npm run test:faults` is the long form. A test
 * that fails here is repeated there by the name and the seed that its message shows.
 */
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { missingPrerequisite } from '../../../dev/faults/prerequisites.js'
import type { Delivery, FaultStack, Scenario } from '../../../dev/faults/scenario.js'
import { runScenario } from '../../../dev/faults/scenario-runner.js'
import { SCENARIOS } from '../../../dev/faults/scenarios/index.js'
import { OWN_STACK_UNAVAILABLE, startOwnStackIfPossible, type OwnStack } from '../../support/own-stack.js'

vi.setConfig({ testTimeout: 300_000 })

const SEED = 20_261_122
/** The scale of each scenario, compared with the long form. */
const SCALES: Readonly<Record<string, number>> = {
  kill: 0.1,
  network: 0.12,
  'network+kill': 0.1,
  power: 0.15,
  registry: 0.11,
  'full-disk': 0.2,
  'failing-disk': 0.15,
  provider: 0.2,
  topics: 0.2,
  position: 0.25,
  journals: 0.4,
  instances: 0.25,
}

const scenarioNamed = (name: string): Scenario => SCENARIOS.find((scenario) => scenario.name === name)!

async function expectSoundRun(
  scenario: Scenario,
  stack: FaultStack,
  scale: number,
  delivery?: Delivery,
): Promise<void> {
  const report = await runScenario(scenario, stack, { seed: SEED, scale, ...(delivery && { delivery }) })
  expect(report.problems, `${scenario.name}, seed ${SEED}`).toEqual([])
  expect(report.verdict.total.owed).toBeGreaterThan(50)
}

describe('The connector loses nothing and publishes nothing twice', () => {
  const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }

  for (const [name, scale] of Object.entries(SCALES)) {
    const scenario = scenarioNamed(name)
    it(`under the fault "${name}": ${scenario.description}`, async ({ skip }) => {
      const reason = await missingPrerequisite(scenario, stack)
      if (reason !== null) skip(reason)
      await expectSoundRun(scenario, stack, scale)
    })
  }

  it('with at-least-once delivery under the fault "kill", except for duplicates with the same event id', () =>
    expectSoundRun(scenarioNamed('kill'), stack, 0.08, 'at-least-once'))
})

describe('The connector loses nothing and publishes nothing twice on a broker that is killed', () => {
  let stack: OwnStack | undefined
  beforeAll(async () => {
    stack = await startOwnStackIfPossible()
  })
  afterAll(() => stack?.stop())

  for (const [name, scale] of Object.entries({ 'broker+kill': 0.12, replay: 0.2 })) {
    const scenario = scenarioNamed(name)
    it(`under the fault "${name}": ${scenario.description}`, async ({ skip }) => {
      if (!stack) return skip(OWN_STACK_UNAVAILABLE)
      await expectSoundRun(scenario, stack, scale)
    })
  }
})
