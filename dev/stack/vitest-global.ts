/**
 * Vitest's globalSetup: one broker and one registry for a whole run, real ones. A test reads their addresses with
 * `inject('brokers')` and `inject('registryUrl')`, and makes topics and subjects of its own names.
 *
 * `DLRMO_STACK=none` leaves it out, for a quick run of files that need neither.
 */
import type {} from 'vitest'
import type { TestProject } from 'vitest/node'
import { progressOn } from '../progress.js'
import { startStack } from './index.js'
import type { Origin } from './index.js'

declare module 'vitest' {
  export interface ProvidedContext {
    /** `host:port`, at least one. */
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
