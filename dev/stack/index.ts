/**
 * A real Kafka broker and a real schema registry with the API of Confluent, for demo and tests. They come from the first of
 * these that is available: the environment, a Docker daemon, a JVM.
 */
import { silent } from '../progress.js'
import { dockerRuntime } from './docker/runtime.js'
import { stackFromEnvironment } from './environment-stack.js'
import { findJvm, startOnJvm } from './jvm/jvm-stack.js'
import { StackError } from './types.js'
import type { Stack, StackOptions } from './types.js'

export { StackError } from './types.js'
export type { BrokerHandle, Origin, RegistryHandle, Stack, StackOptions } from './types.js'

/**
 * Resolves when both answer requests. The caller stops the stack. If the calling process ends before, even by SIGKILL,
 * what was started ends with it.
 * @throws StackError when none of the three is available, or the one that is available fails
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const progress = options.progress ?? silent
  if (options.own !== true) {
    const given = await stackFromEnvironment()
    if (given) return given
  }

  const runtime = await dockerRuntime()
  if (runtime) {
    const { startInDocker } = await import('./docker/docker-stack.js')
    const stack = await startInDocker(runtime, options, progress)
    if (stack) return stack
  }

  const jvm = await findJvm()
  if ('missing' in jvm) {
    throw new StackError(
      'There is no Kafka broker and no schema registry. Set KAFKA_BROKERS and SCHEMA_REGISTRY_URL to running ones, ' +
        `or start a Docker daemon that this user may use, or install Java 17 or later and Maven (${jvm.missing}).`,
    )
  }
  return startOnJvm(jvm, options, progress)
}
