/** What administrators do to a cluster: topics deleted, rights taken away, positions forgotten. */
import { setTimeout as delay } from 'node:timers/promises'
import kafkajs, { type AclEntry } from 'kafkajs'
import { withAdmin } from '../../kafka/topics.js'
import { everythingOn } from '../found.js'
import type { ScenarioRun, Scenario } from '../scenario-run.js'
import type { Topic } from '../../oracle/oracle.js'

// Node finds no names for these in the CommonJS module.
const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs

/**
 * Only what is not on its way can be promised to outlive its topic: so all is published and read before, and the load
 * goes on as soon as the topic is gone.
 */
export const topics: Scenario = {
  name: 'topics',
  about: 'topics deleted, and made again by the connector, between two halves of the load',
  async faults(ground) {
    const { trial, stack, random } = ground
    await ground.start()
    ground.load.start()
    for (let round = 0; round < ground.scaled(5); round++) {
      await ground.wait(500, 1_500)
      await ground.drain()
      const all = Object.keys(trial.topics) as Topic[]
      const first = random.pick(all)
      const gone = all.filter((topic) => topic === first || random.chance(0.3))
      const there = await everythingOn({ brokers: stack.brokers, topics: trial.topics, registryUrl: stack.registryUrl })
      ground.earlier.push(...[...there].filter(({ topic }) => gone.includes(topic)))
      await withAdmin(stack.brokers, (admin) =>
        admin.deleteTopics({ topics: gone.map((topic) => trial.topics[topic]) }),
      )
      await delay(1_000) // until the broker, too, has given up what it held
      ground.load.resume()
      if (random.chance(0.3)) await ground.killAndRestart()
      await ground.untilPublishingGoesOn()
      ground.count('topic deleted', gone.length)
    }
  },
}

/** Resources of the connector, each with the operation that is denied. */
const RIGHTS = (
  ground: ScenarioRun,
  journalId: string,
): readonly Pick<AclEntry, 'resourceType' | 'resourceName' | 'operation'>[] => [
  { resourceType: AclResourceTypes.TOPIC, resourceName: ground.trial.topics.dlr, operation: AclOperationTypes.WRITE },
  { resourceType: AclResourceTypes.TOPIC, resourceName: ground.trial.topics.mo, operation: AclOperationTypes.DESCRIBE },
  {
    resourceType: AclResourceTypes.TRANSACTIONAL_ID,
    resourceName: `dlr-mo-connector.${ground.trial.name}`,
    operation: AclOperationTypes.WRITE,
  },
  {
    resourceType: AclResourceTypes.GROUP,
    resourceName: `dlr-mo-connector.${ground.trial.name}.${journalId}`,
    operation: AclOperationTypes.READ,
  },
]

export const rights: Scenario = {
  name: 'rights',
  about: 'rights on topics, transactional id and group taken away and given back',
  needs: 'own stack',
  async faults(ground) {
    const { stack, random } = ground
    await ground.start()
    ground.load.start()
    await ground.untilPublishingGoesOn()
    for (let round = 0; round < ground.scaled(6); round++) {
      const right = random.pick(RIGHTS(ground, await journalIdOf(ground)))
      const entry = { ...right, principal: 'User:*', host: '*', resourcePatternType: ResourcePatternTypes.LITERAL }
      const acl: AclEntry[] = [
        { ...entry, operation: AclOperationTypes.ALL, permissionType: AclPermissionTypes.ALLOW },
        { ...entry, permissionType: AclPermissionTypes.DENY },
      ]
      await withAdmin(stack.brokers, (admin) => admin.createAcls({ acl }))
      try {
        await ground.wait(500, 2_500)
        if (random.chance(0.3)) await ground.killAndRestart()
      } finally {
        const filters = acl.map(({ permissionType, operation }) => ({ ...entry, permissionType, operation }))
        await withAdmin(stack.brokers, (admin) => admin.deleteAcls({ filters }))
      }
      await ground.untilPublishingGoesOn()
      ground.count('right taken away')
    }
  },
}

export const position: Scenario = {
  name: 'position',
  about: 'the position in Kafka deleted, as its retention does, when all was released',
  only: 'exactly-once',
  async faults(ground) {
    await ground.start()
    ground.load.start()
    for (let round = 0; round < ground.scaled(4); round++) {
      await ground.wait(500, 1_500)
      await ground.drain()
      await ground.terminate()
      await forgetPosition(ground)
      ground.load.resume()
      await ground.start()
      await ground.untilPublishingGoesOn()
    }
  },
}

/** The one double that the contract allows, see promise 5: with the same event ids. */
export const positionAtWorst: Scenario = {
  name: 'position-at-worst',
  about: 'the position deleted after kill -9 between commit and release: doubles allowed, with the same event id',
  only: 'exactly-once',
  mayDouble: true,
  async faults(ground) {
    ground.load.start()
    const module = new URL('../preload/steps.mjs', import.meta.url).href
    for (let round = 0; round < ground.scaled(4); round++) {
      const at = String(ground.random.integer(2, 6))
      await ground.launch({ env: { NODE_OPTIONS: `--import ${module}`, FAULT_STEP: 'release-before', FAULT_AT: at } })
      await ground.untilDead(40_000)
      await forgetPosition(ground)
    }
  },
}

async function forgetPosition(ground: ScenarioRun): Promise<void> {
  const group = `dlr-mo-connector.${ground.trial.name}.${await journalIdOf(ground)}`
  await withAdmin(ground.stack.brokers, (admin) => admin.deleteGroups([group]))
  ground.count('position deleted')
}

async function journalIdOf({ trial }: ScenarioRun): Promise<string> {
  return (await trial.log()).findLast(({ msg }) => msg === 'the connector is running')?.['journal'] as string
}
