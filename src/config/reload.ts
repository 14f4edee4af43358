/**
 * What a reload changes: the keys in which two configurations differ, and which of them take effect without a restart.
 *
 * Each key of the schema belongs to one of the two lists below; the longest entry that a key begins with counts.
 * docs/reload.md shows both lists.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Path } from '../yaml/problem.js'

/** Keys that a reload applies. */
export const RELOADED_KEYS: readonly string[] = [
  'kafka',
  'registry',
  'proxy',
  'callbacks.bodyLimit',
  'callbacks.maxConnections',
  'callbacks.maxRefusedPerMinute',
  'callbacks.trustProxy',
  'callbacks.drainDelay',
  'callbacks.tls',
  'admin.token',
  'shutdownGrace',
  'providers',
  'sources',
]

/**
 * Keys that take effect at a restart only: what the process is called and listens on, where custody lies, and what other
 * processes or the positions in Kafka depend on.
 */
export const RESTART_KEYS: readonly string[] = [
  'instance',
  'kafka.topics',
  'kafka.delivery',
  'kafka.transactionTimeout',
  'journal',
  'callbacks.host',
  'callbacks.port',
  'admin.host',
  'admin.port',
  'sharing',
  'duplicates',
  'records',
  'log',
  'telemetry',
]

/** Sections that can't be added or removed without a restart, although a reload applies a change of what they hold. */
export const RESTART_IF_ADDED_OR_REMOVED: readonly string[] = ['callbacks.tls', 'callbacks.tls.clientCa']

/** A key, or a whole section, in which two configurations differ. */
export interface ConfigChange {
  readonly path: Path
  readonly kind: 'added' | 'removed' | 'changed'
}

/** Returns the differences, each as deep as both configurations have the key. Lists are compared as a whole. */
export const diffConfigs = (before: unknown, after: unknown, path: Path = []): ConfigChange[] => {
  if (isDeepStrictEqual(before, after)) return []
  if (before === undefined) return [{ path, kind: 'added' }]
  if (after === undefined) return [{ path, kind: 'removed' }]
  const [from, to] = [entriesOf(before), entriesOf(after)]
  if (from === undefined || to === undefined) return [{ path, kind: 'changed' }]
  const keys = new Set([...from.keys(), ...to.keys()])
  return [...keys].flatMap((key) => diffConfigs(from.get(key), to.get(key), [...path, key]))
}

/** Whether a change takes effect at a restart only. */
export const needsRestart = ({ path, kind }: ConfigChange): boolean => {
  const key = path.join('.')
  if (kind !== 'changed' && RESTART_IF_ADDED_OR_REMOVED.includes(key)) return true
  // A section that is added or removed as a whole may hold such a key.
  if (RESTART_KEYS.some((each) => begins(each, key))) return true
  const longest = [...RELOADED_KEYS, ...RESTART_KEYS]
    .filter((each) => begins(key, each))
    .sort((a, b) => b.length - a.length)[0]
  return longest === undefined || RESTART_KEYS.includes(longest)
}

const begins = (key: string, section: string): boolean => key === section || key.startsWith(`${section}.`)

const entriesOf = (value: unknown): ReadonlyMap<string, unknown> | undefined => {
  if (value instanceof Map) return value as ReadonlyMap<string, unknown>
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return new Map(Object.entries(value))
}
