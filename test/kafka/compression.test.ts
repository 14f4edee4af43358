import kafkajs from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { createCompressor, registerCompression } from '../../src/kafka/compression.js'

const codecs = kafkajs.CompressionCodecs as Record<
  number,
  () => { compress(encoder: { buffer: Buffer }): Promise<Buffer>; decompress(buffer: Buffer): Promise<Buffer> }
>
describe('The compression codecs', () => {
  it('are registered under the numbers of Kafka', () => {
    const names = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
    expect(names.map(registerCompression)).toEqual([0, 1, 2, 3, 4])
    expect(names.map((name) => createCompressor(name).type)).toEqual([0, 1, 2, 3, 4])
    expect(createCompressor('none').compress).toBeUndefined()
  })

  it.each(['snappy', 'lz4', 'zstd'] as const)('restore with %s what they compressed', async (name) => {
    const codec = codecs[registerCompression(name)]!()
    const text = Buffer.from('the same again. '.repeat(1000))
    const small = await codec.compress({ buffer: text })
    expect(small.length).toBeLessThan(text.length / 10)
    expect((await codec.decompress(small)).equals(text)).toBe(true)
  })
})
