import kafkajs from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { registerCompression, registerWrappedCompression } from '../../src/kafka/compression.js'

const codecs = kafkajs.CompressionCodecs as Record<
  number,
  () => { compress(encoder: { buffer: Buffer }): Promise<Buffer>; decompress(buffer: Buffer): Promise<Buffer> }
>
describe('The compression codecs', () => {
  it('are registered for wrapped records under a number whose lowest bits are those of Kafka', () => {
    expect([registerWrappedCompression('none'), registerWrappedCompression('gzip')]).toEqual([8, 9])
    expect([registerCompression('none'), registerCompression('gzip')]).toEqual([0, 1])
  })

  it.each(['snappy', 'lz4', 'zstd'] as const)('restore with %s what they compressed', async (name) => {
    const codec = codecs[registerCompression(name)]!()
    const text = Buffer.from('the same again. '.repeat(1000))
    const small = await codec.compress({ buffer: text })
    expect(small.length).toBeLessThan(text.length / 10)
    expect((await codec.decompress(small)).equals(text)).toBe(true)
  })
})
