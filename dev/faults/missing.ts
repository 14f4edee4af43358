/** What a kind of faults needs and this machine may not have. */
import { findJvm } from '../stack/jvm/index.js'
import { noSmallDisk } from '../../test/journal/support/small-disk.js'
import type { FaultStack, Scenario } from './ground.js'
import { noCompiler } from './native.js'

/** Why these faults can't be made here, in a phrase; null where they can. */
export async function missing({ needs }: Scenario, stack: FaultStack): Promise<string | null> {
  if (needs === undefined) return null
  switch (needs) {
    case 'own stack':
      return stack.broker && stack.registry ? null : 'it takes a broker that may be killed'
    case 'three brokers': {
      const jvm = await findJvm()
      return 'missing' in jvm ? `three brokers take a JVM: ${jvm.missing}` : null
    }
    case 'a C compiler':
      return noCompiler
    case 'a small disk':
      return noSmallDisk
  }
}
