import { waitForBroker, waitForRegistry } from './readiness.js'
import { StackError } from './types.js'
import type { Stack } from './types.js'

const ANSWER_TIMEOUT_MS = 10_000

/**
 * The broker and the registry that KAFKA_BROKERS (a list of host:port, separated by commas) and SCHEMA_REGISTRY_URL name,
 * or undefined when neither is set. Both are asked before they are used, so that a wrong address is one sentence here
 * instead of fifty failing tests.
 * @throws StackError when only one of the two is set, or one of them does not answer
 */
export async function stackFromEnvironment(env: NodeJS.ProcessEnv = process.env): Promise<Stack | undefined> {
  const brokers = (env['KAFKA_BROKERS'] ?? '')
    .split(',')
    .map((broker) => broker.trim())
    .filter((broker) => broker !== '')
  const registryUrl = (env['SCHEMA_REGISTRY_URL'] ?? '').trim().replace(/\/+$/, '')
  if (brokers.length === 0 && registryUrl === '') return undefined
  if (brokers.length === 0 || registryUrl === '') {
    const [is, isNot] =
      brokers.length === 0 ? ['SCHEMA_REGISTRY_URL', 'KAFKA_BROKERS'] : ['KAFKA_BROKERS', 'SCHEMA_REGISTRY_URL']
    throw new StackError(`${is} is set and ${isNot} is not. Set both, or neither so that both are started here.`)
  }

  await Promise.all([
    waitForBroker(brokers, ANSWER_TIMEOUT_MS).catch((error: unknown) => {
      throw new StackError(`KAFKA_BROKERS=${brokers.join(',')} does not answer: ${reasonOf(error)}`)
    }),
    waitForRegistry(registryUrl, ANSWER_TIMEOUT_MS).catch((error: unknown) => {
      throw new StackError(`SCHEMA_REGISTRY_URL=${registryUrl} does not answer: ${reasonOf(error)}`)
    }),
  ])
  return { brokers, registryUrl, origin: 'environment', stop: () => Promise.resolve() }
}

/** The message of a failed `fetch` is always the same; its cause has the reason. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return cause instanceof Error ? cause.message : String(cause)
}
