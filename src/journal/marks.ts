import type { Capacity } from './capacity.js'
import type { Environment } from './environment.js'

/**
 * Writes what must be durable before the first entry is: the id of a new journal, and the first number that no position
 * has been read for. Synchronous, at start.
 */
export function writeMarks(
  { root, meta }: Environment,
  marks: { readonly id?: string; readonly unverifiedFrom?: number },
  capacity: Pick<Capacity, 'writeFailed'>,
): void {
  const entries = Object.entries(marks) as ['id' | 'unverifiedFrom', string | number][]
  if (entries.length === 0) return
  const write = (): void => root.transactionSync(() => entries.forEach(([key, value]) => meta.putSync(key, value)))
  try {
    write()
  } catch {
    capacity.writeFailed() // gives the reserve's room
    write()
  }
}
