/**
 * The global setup of Vitest: one real broker and one real registry for all tests of a run. A test gets their addresses by
 * `inject('brokers')` and `inject('registryUrl')`, and uses topics and subjects that no other test uses.
 *
 * With `DLRMO_STACK=none` nothing is started, for a quick run of tests that need neither.
 */
import type {} from 'vitest'
import type { TestProject } from 'vitest/node'
import { progressOn } from '../progress.js'
import { startStack } from './index.js'
import type { Origin } from './index.js'

declare module 'vitest' {
  export interface ProvidedContext {
    /** At least one address, as `host:port`. */
    brokers: string[]
    /** `${registryUrl}/subjects` answers. */
    registryUrl: string
    stackOrigin: Origin
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (process.env['DLRMO_STACK'] === 'none') return () => Promise.resolve()
  const stack = await startStack({ progress: progressOn() })
  project.provide('brokers', stack.brokers)
  project.provide('registryUrl', stack.registryUrl)
  project.provide('stackOrigin', stack.origin)
  return () => stack.stop()
}
