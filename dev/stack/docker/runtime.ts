import { setTimeout as delay } from 'node:timers/promises'
import type { ContainerRuntimeClient } from 'testcontainers'

/** A daemon that doesn't say hello by then is not one to start two servers in. */
const DECIDE_WITHIN_MS = 2_000

/** The container runtime that testcontainers finds (DOCKER_HOST, its own configuration, the usual sockets), or none. */
export async function dockerRuntime(): Promise<ContainerRuntimeClient | undefined> {
  // Imported late: it is a big library, and of no use to those who bring their broker along.
  const { getContainerRuntimeClient } = await import('testcontainers')
  const found = getContainerRuntimeClient().catch(() => undefined)
  return Promise.race([found, delay(DECIDE_WITHIN_MS, undefined, { ref: false })])
}
