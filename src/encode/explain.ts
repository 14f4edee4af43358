/** Why a schema may not follow another, in Avro's own terms: for registries that say no without a reason. */
import { messageOf } from '../errors.js'
import { parseWriter } from './writable.js'

/** @param level the registry's: BACKWARD, FORWARD, FULL, each with or without _TRANSITIVE */
export function explain(level: string, ours: string, earlier: string): string[] {
  const found: string[] = []
  const tryToRead = (reader: string, writer: string, what: string): void => {
    try {
      parseWriter(reader).createResolver(parseWriter(writer))
    } catch (error) {
      found.push(`${what}: ${messageOf(error)}`)
    }
  }
  if (!level.startsWith('FORWARD'))
    tryToRead(ours, earlier, 'what was written with the earlier schema would be unreadable')
  if (!level.startsWith('BACKWARD'))
    tryToRead(earlier, ours, 'readers of the earlier schema could not read what we write')
  return found
}

/** Whether two JSON texts mean the same Avro schema: names, types and order; docs and defaults apart. */
export const sameSchema = (one: string, other: string): boolean => {
  if (one === other) return true
  try {
    return parseWriter(one).equals(parseWriter(other))
  } catch {
    return false
  }
}
