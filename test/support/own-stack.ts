/** A broker and a registry of a test's own, where this machine can start them. */
import { inject } from 'vitest'
import { startOwnStack, type OwnStack } from '../../dev/stack/own-stack.js'

export type { OwnStack } from '../../dev/stack/own-stack.js'

/** Undefined where none can be started; the tests that need one are then skipped visibly. */
export async function startOwnStackIfPossible(): Promise<OwnStack | undefined> {
  try {
    return await startOwnStack()
  } catch (error) {
    // The shared stack was started on this machine too, so that failing to start another one is an error.
    if (inject('stackOrigin') !== 'environment') throw error
    return undefined
  }
}

export const OWN_STACK_UNAVAILABLE = 'needs a broker that may be killed: Docker, or Java 17 with Maven'
