import { waitForBroker, waitForRegistry } from './readiness.js'
import { StackError } from './types.js'
import type { Stack } from './types.js'

const PATIENCE_MS = 10_000

/**
 * The broker and registry named by KAFKA_BROKERS (comma list of host:port) and SCHEMA_REGISTRY_URL, or undefined when
 * neither is set. They are looked at before use: a wrong address should be one sentence here, not fifty failing tests.
 *
 * @throws StackError when only one is set, or one of them doesn't answer.
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
    throw new StackError(`${is} is set and ${isNot} is not: set both, or neither to have them started here.`)
  }

  await Promise.all([
    waitForBroker(brokers, PATIENCE_MS).catch((error: unknown) => {
      throw new StackError(`KAFKA_BROKERS=${brokers.join(',')} does not answer: ${reasonOf(error)}`)
    }),
    waitForRegistry(registryUrl, PATIENCE_MS).catch((error: unknown) => {
      throw new StackError(`SCHEMA_REGISTRY_URL=${registryUrl} does not answer: ${reasonOf(error)}`)
    }),
  ])
  return { brokers, registryUrl, origin: 'environment', stop: () => Promise.resolve() }
}

/** `fetch failed` hides its reason in `cause`. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return cause instanceof Error ? cause.message : String(cause)
}
