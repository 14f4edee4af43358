/**
 * The partition of a key as Java's default partitioner computes it (murmur2), so that other producers agree with us.
 *
 * Our own and not kafkajs's: that one multiplies BigInts that it never cuts back to 32 bits, so its time grows with the
 * square of the key's length. A key is what a provider sent, up to the body limit: one id of 300,000 characters held
 * the event loop, and with it the callbacks, for a minute – again after each start.
 */
import type { Partitioner } from './send-batches.js'

/** @param partitions how many each topic has at this moment */
export function javaPartitioner(partitions: ReadonlyMap<string, number>): Partitioner {
  return (topic, key) => {
    const count = partitions.get(topic)
    if (count === undefined) throw new Error(`topic ${topic} is not one of those that were opened`)
    return (murmur2(Buffer.from(key)) & 0x7fffffff) % count
  }
}

const SEED = 0x9747b28c
const M = 0x5bd1e995
const R = 24

/** As in org.apache.kafka.common.utils.Utils: 32 bits, signed. */
function murmur2(data: Buffer): number {
  let hash = SEED ^ data.length
  const whole = data.length & ~3
  for (let at = 0; at < whole; at += 4) {
    const part = Math.imul(data.readInt32LE(at), M)
    hash = Math.imul(hash, M) ^ Math.imul(part ^ (part >>> R), M)
  }
  if (whole < data.length) hash = Math.imul(hash ^ data.readUIntLE(whole, data.length - whole), M)
  hash = Math.imul(hash ^ (hash >>> 13), M)
  return hash ^ (hash >>> 15)
}
