import kafkajs from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { registerCompression, wrappedCompression } from '../../src/kafka/compression.js'

const codecs = kafkajs.CompressionCodecs as Record<
  number,
  () => { compress(encoder: { buffer: Buffer }): Promise<Buffer>; decompress(buffer: Buffer): Promise<Buffer> }
>
describe('compression', () => {
  it('marks batches with the number that Kafka knows, and leaves it to another codec', () => {
    expect([wrappedCompression('none'), wrappedCompression('gzip')]).toEqual([8, 9])
    expect([registerCompression('none'), registerCompression('gzip')]).toEqual([0, 1])
  })

  it.each(['snappy', 'lz4', 'zstd'] as const)('by %s gives back what went in', async (name) => {
    const codec = codecs[registerCompression(name)]!()
    const text = Buffer.from('the same again. '.repeat(1000))
    const small = await codec.compress({ buffer: text })
    expect(small.length).toBeLessThan(text.length / 10)
    expect((await codec.decompress(small)).equals(text)).toBe(true)
  })
})
