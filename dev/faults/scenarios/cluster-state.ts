/** Administrators delete topics and positions, and revoke rights. */
import { setTimeout as delay } from 'node:timers/promises'
import kafkajs, { type AclEntry } from 'kafkajs'
import { withAdmin } from '../../kafka/topics.js'
import type { TopicKind } from '../../oracle/topic-reader.js'
import { until } from '../../wait.js'
import { killAtStep } from '../preload.js'
import type { Scenario, ScenarioRun } from '../scenario.js'

// Node.js finds no named exports for these in the CommonJS module of kafkajs.
const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs

/** The broker deletes the log of a topic shortly after the topic has left its metadata, and no request shows when. */
const LOG_DELETION_MS = 500
const STEP_TIMEOUT_MS = 40_000

/**
 * Only what is published completely can survive the deletion of its topic. So everything is published and read before,
 * and the load continues as soon as the topic is gone.
 */
export const topics: Scenario = {
  name: 'topics',
  description: 'topics are deleted between two halves of the load, and created again by the connector',
  async injectFaults(run) {
    await run.start()
    run.load.start()
    for (let round = 0; round < run.scaled(5); round++) {
      await run.pause(500, 1_500)
      await run.drain()
      await deleteSomeTopics(run)
      run.load.resume()
      if (run.random.chance(0.3)) await run.killAndRestart()
      await run.untilMoreIsPublished()
    }
  },
}

async function deleteSomeTopics(run: ScenarioRun): Promise<void> {
  const { trial, random } = run
  const kinds = Object.keys(trial.topics) as TopicKind[]
  const first = random.pick(kinds)
  const deleted = kinds.filter((kind) => kind === first || random.chance(0.3)).map((kind) => trial.topics[kind])
  const records = await trial.readAll()
  run.recordsOfDeletedTopics.push(...records.filter(({ topic }) => deleted.includes(topic)))
  await withAdmin(trial.stack.brokers, async (admin) => {
    await admin.deleteTopics({ topics: deleted })
    await until(async () => {
      const existing = await admin.listTopics()
      return !deleted.some((topic) => existing.includes(topic))
    })
  })
  await delay(LOG_DELETION_MS)
  run.countFault('topic deleted', deleted.length)
}

export const rights: Scenario = {
  name: 'rights',
  description: 'rights on topics, transactional id and group are revoked and granted again',
  needs: 'own stack',
  async injectFaults(run) {
    await run.start()
    run.load.start()
    await run.untilMoreIsPublished()
    for (let round = 0; round < run.scaled(6); round++) {
      const right = run.random.pick(rightsOf(run, await journalIdOf(run)))
      await withoutRight(run, right, async () => {
        await run.pause(500, 2_500)
        if (run.random.chance(0.3)) await run.killAndRestart()
      })
      await run.untilMoreIsPublished()
      run.countFault('right revoked')
    }
  },
}

type Right = Pick<AclEntry, 'resourceType' | 'resourceName' | 'operation'>

/** Resources that the connector uses, each with an operation that it needs. */
const rightsOf = ({ trial: { topics: names, name } }: ScenarioRun, journalId: string): readonly Right[] => [
  { resourceType: AclResourceTypes.TOPIC, resourceName: names.dlr, operation: AclOperationTypes.WRITE },
  { resourceType: AclResourceTypes.TOPIC, resourceName: names.mo, operation: AclOperationTypes.DESCRIBE },
  {
    resourceType: AclResourceTypes.TRANSACTIONAL_ID,
    resourceName: `dlr-mo-connector.${name}`,
    operation: AclOperationTypes.WRITE,
  },
  { resourceType: AclResourceTypes.GROUP, resourceName: groupOf(name, journalId), operation: AclOperationTypes.READ },
]

async function withoutRight({ trial }: ScenarioRun, right: Right, use: () => Promise<void>): Promise<void> {
  const entry = { ...right, principal: 'User:*', host: '*', resourcePatternType: ResourcePatternTypes.LITERAL }
  const acl: AclEntry[] = [
    { ...entry, operation: AclOperationTypes.ALL, permissionType: AclPermissionTypes.ALLOW },
    { ...entry, permissionType: AclPermissionTypes.DENY },
  ]
  await withAdmin(trial.stack.brokers, (admin) => admin.createAcls({ acl }))
  try {
    await use()
  } finally {
    const filters = acl.map(({ permissionType, operation }) => ({ ...entry, permissionType, operation }))
    await withAdmin(trial.stack.brokers, (admin) => admin.deleteAcls({ filters }))
  }
}

export const position: Scenario = {
  name: 'position',
  description: 'the position in Kafka is deleted, as its retention does, while everything is released',
  onlyDelivery: 'exactly-once',
  async injectFaults(run) {
    await run.start()
    run.load.start()
    for (let round = 0; round < run.scaled(4); round++) {
      await run.pause(500, 1_500)
      await run.drain()
      await run.terminate()
      await deletePosition(run)
      run.load.resume()
      await run.start()
      await run.untilMoreIsPublished()
    }
  },
}

/** The one case in which the contract allows duplicates, under their first event ids (promise 5). */
export const positionAtWorst: Scenario = {
  name: 'position-at-worst',
  description: 'the position is deleted after kill -9 between commit and release: duplicates are allowed',
  onlyDelivery: 'exactly-once',
  mayDouble: true,
  async injectFaults(run) {
    run.load.start()
    for (let round = 0; round < run.scaled(4); round++) {
      await run.launch({ env: killAtStep('release-before', run.random.integer(2, 6)) })
      await run.untilKilledFromWithin(STEP_TIMEOUT_MS)
      await deletePosition(run)
    }
  },
}

async function deletePosition(run: ScenarioRun): Promise<void> {
  const group = groupOf(run.trial.name, await journalIdOf(run))
  await withAdmin(run.trial.stack.brokers, (admin) => admin.deleteGroups([group]))
  run.countFault('position deleted')
}

const groupOf = (instance: string, journalId: string): string => `dlr-mo-connector.${instance}.${journalId}`

async function journalIdOf({ trial }: ScenarioRun): Promise<string> {
  return (await trial.log()).findLast(({ msg }) => msg === 'the connector is running')?.['journal'] as string
}
