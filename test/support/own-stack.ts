/** A broker and a registry that a test may kill. */
import { inject } from 'vitest'
import { startStack, type BrokerHandle, type RegistryHandle, type Stack } from '../../dev/stack/index.js'

export interface OwnStack extends Stack {
  readonly broker: BrokerHandle
  readonly registry: RegistryHandle
}

/** Undefined where none can be started here; the tests that need one are then skipped, visibly. */
export async function ownStack(): Promise<OwnStack | undefined> {
  try {
    const { broker, registry, ...stack } = await startStack({ own: true })
    if (!broker || !registry) throw new Error(`a stack of origin ${stack.origin} without handles`)
    return { ...stack, broker, registry }
  } catch (error) {
    // Where the shared one was started here too, there is no excuse.
    if (inject('stackOrigin') !== 'environment') throw error
    return undefined
  }
}

export const NO_OWN_STACK = 'needs a broker that may be killed: Docker, or Java 17 with Maven'
