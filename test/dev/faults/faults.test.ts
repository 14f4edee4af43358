/**
 * The short form of the fault suite: a little of each kind of fault. The long one is `npm run test:faults`; what fails
 * here is made to fail again there, by the name and the seed in the complaint.
 */
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { OWN_STACK_UNAVAILABLE, startOwnStackIfPossible, type OwnStack } from '../../support/own-stack.js'
import { runScenario } from '../../../dev/faults/run-scenario.js'
import type { Delivery, FaultStack, Scenario } from '../../../dev/faults/scenario-run.js'
import { missingPrerequisite } from '../../../dev/faults/prerequisites.js'
import { SCENARIOS } from '../../../dev/faults/scenarios/index.js'

vi.setConfig({ testTimeout: 300_000 })

const SEED = 20_261_122
/** How much of the long form: a few seconds each. */
const SHORT: Readonly<Record<string, number>> = {
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

const scenario = (name: string): Scenario => SCENARIOS.find((each) => each.name === name)!

async function expectSound(of: Scenario, stack: FaultStack, scale: number, delivery?: Delivery): Promise<void> {
  const report = await runScenario(of, stack, { seed: SEED, scale, ...(delivery && { delivery }) })
  expect(report.complaints, `${of.name}, seed ${SEED}`).toEqual([])
  expect(report.verdict.owed).toBeGreaterThan(50)
}

describe('nothing is lost and nothing doubled:', () => {
  const stack = { brokers: inject('brokers'), registryUrl: inject('registryUrl') }

  for (const [name, scale] of Object.entries(SHORT)) {
    const each = scenario(name)
    it(`${name}: ${each.about}`, async ({ skip }) => {
      const reason = await missingPrerequisite(each, stack)
      if (reason !== null) skip(reason)
      await expectSound(each, stack, scale)
    })
  }

  it('kill, at least once: the same, but that doubles are allowed which say so by their event id', () =>
    expectSound(scenario('kill'), stack, 0.08, 'at-least-once'))
})

describe('nor when the broker itself dies:', () => {
  let stack: OwnStack | undefined
  beforeAll(async () => {
    stack = await startOwnStackIfPossible()
  })
  afterAll(() => stack?.stop())

  it(`broker+kill: ${scenario('broker+kill').about}`, async ({ skip }) => {
    if (!stack) return skip(OWN_STACK_UNAVAILABLE)
    await expectSound(scenario('broker+kill'), stack, 0.12)
  })
})
