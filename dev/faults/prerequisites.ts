import { compilerProblem } from '../fault-injection/native-library.js'
import { mountError } from '../fault-injection/small-disk.js'
import { findJvm } from '../stack/jvm/jvm-stack.js'
import type { FaultStack, Scenario } from './scenario.js'

/** Why this machine cannot run the scenario, in a phrase; null if it can. */
export async function missingPrerequisite({ needs }: Scenario, stack: FaultStack): Promise<string | null> {
  if (needs === undefined) return null
  switch (needs) {
    case 'own stack':
      return stack.broker && stack.registry ? null : 'this kind needs a broker and a registry that may be killed'
    case 'three brokers': {
      const jvm = await findJvm()
      return 'missing' in jvm ? `three brokers need a JVM (${jvm.missing})` : null
    }
    case 'a C compiler':
      return compilerProblem
    case 'a small disk':
      return mountError
  }
}
