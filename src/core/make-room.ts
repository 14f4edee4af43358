/** A Map or a Set, whose keys are in the order in which they were added. */
interface OrderedKeys<K> {
  readonly size: number
  keys(): Iterable<K>
  delete(key: K): boolean
}

/** Makes room for one more key where there are `max` already: the oldest one is deleted. */
export const makeRoom = <K>(entries: OrderedKeys<K>, max: number): void => {
  const [oldest] = entries.keys()
  if (entries.size >= max && oldest !== undefined) entries.delete(oldest)
}
