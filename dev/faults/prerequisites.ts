/** What a kind of faults needs and this machine may not have. */
import { findJvm } from '../stack/jvm/jvm-stack.js'
import { mountError } from '../fault-injection/small-disk.js'
import type { FaultStack, Scenario } from './scenario-run.js'
import { noCompiler } from '../fault-injection/native-library.js'

/** Why these faults can't be made here, in a phrase; null where they can. */
export async function missingPrerequisite({ needs }: Scenario, stack: FaultStack): Promise<string | null> {
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
      return mountError
  }
}
