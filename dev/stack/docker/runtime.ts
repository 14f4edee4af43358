import { setTimeout as delay } from 'node:timers/promises'
import type { ContainerRuntimeClient } from 'testcontainers'

/** A daemon that does not answer within this time is not used. */
const ANSWER_TIMEOUT_MS = 2_000

/** The container runtime that testcontainers finds by DOCKER_HOST, its own configuration or the usual sockets, if any. */
export async function dockerRuntime(): Promise<ContainerRuntimeClient | undefined> {
  // A large library, which is loaded only if no broker is given by the environment.
  const { getContainerRuntimeClient } = await import('testcontainers')
  const found = getContainerRuntimeClient().catch(() => undefined)
  return Promise.race([found, delay(ANSWER_TIMEOUT_MS, undefined, { ref: false })])
}
