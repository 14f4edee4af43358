/**
 * Computes the partition of a key as Java's default partitioner does (murmur2), so that other producers choose the same one.
 *
 * kafkajs 2.2.4 has such a partitioner too, but it multiplies BigInts without cutting them back to 32 bits, so its time grows
 * with the square of the key's length. A key comes from a provider and may be as long as the body limit: an id of 300,000
 * characters blocked the event loop for a minute, and again after each start.
 */
/** Returns the partition that a record belongs to. */
export type Partitioner = (topic: string, key: string) => number

/** @param partitions the current number of partitions of each topic */
export function createJavaPartitioner(partitions: ReadonlyMap<string, number>): Partitioner {
  return (topic, key) => {
    const count = partitions.get(topic)
    if (count === undefined) throw new Error(`the number of partitions of topic ${topic} is unknown`)
    return (murmur2(Buffer.from(key)) & 0x7fffffff) % count
  }
}

const MURMUR2_SEED = 0x9747b28c
const M = 0x5bd1e995
const R = 24

/** The murmur2 of org.apache.kafka.common.utils.Utils: 32 bits, signed. */
function murmur2(data: Buffer): number {
  let hash = MURMUR2_SEED ^ data.length
  const whole = data.length & ~3
  for (let offset = 0; offset < whole; offset += 4) {
    const block = Math.imul(data.readInt32LE(offset), M)
    hash = Math.imul(hash, M) ^ Math.imul(block ^ (block >>> R), M)
  }
  if (whole < data.length) hash = Math.imul(hash ^ data.readUIntLE(whole, data.length - whole), M)
  hash = Math.imul(hash ^ (hash >>> 13), M)
  return hash ^ (hash >>> 15)
}
