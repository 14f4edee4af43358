import { startStack } from './index.js'
import { StackError, type BrokerHandle, type RegistryHandle, type Stack, type StackOptions } from './types.js'

/** A broker and a registry that the caller may kill, because it uses them alone. */
export interface OwnStack extends Stack {
  readonly broker: BrokerHandle
  readonly registry: RegistryHandle
}

/** @throws StackError when none can be started on this machine, or when what was started does not become ready */
export async function startOwnStack(options: Omit<StackOptions, 'own'> = {}): Promise<OwnStack> {
  const { broker, registry, ...stack } = await startStack({ ...options, own: true })
  if (!broker || !registry) throw new StackError(`The stack of origin ${stack.origin} cannot be killed.`)
  return { ...stack, broker, registry }
}
