import kafkajs from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { createCompressor, registerCompression } from '../../src/kafka/compression.js'

const codecs = kafkajs.CompressionCodecs as Record<
  number,
  () => { compress(encoder: { buffer: Buffer }): Promise<Buffer>; decompress(buffer: Buffer): Promise<Buffer> }
>
/** Frames blocks as snappy-java does, and with it the clients and brokers of Kafka. */
async function frameAsXerial(blocks: readonly Buffer[]): Promise<Buffer> {
  const codec = codecs[registerCompression('snappy')]!()
  const magic = Buffer.from('82534e4150505900', 'hex')
  const versions = Buffer.from('0000000100000001', 'hex')
  const framed: Buffer[] = [magic, versions]
  for (const block of blocks) {
    const compressed = await codec.compress({ buffer: block })
    const length = Buffer.alloc(4)
    length.writeUInt32BE(compressed.length)
    framed.push(length, compressed)
  }
  return Buffer.concat(framed)
}

describe('The compression codecs', () => {
  it('read with snappy what Java has framed, also in several blocks, and report a block that is cut', async () => {
    const codec = codecs[registerCompression('snappy')]!()
    const blocks = [Buffer.from('one block. '.repeat(3_000)), Buffer.from('another'), Buffer.alloc(0)]
    const framed = await frameAsXerial(blocks)
    expect((await codec.decompress(framed)).equals(Buffer.concat(blocks))).toBe(true)
    expect(await codec.decompress(await frameAsXerial([]))).toHaveLength(0)
    await expect(codec.decompress(framed.subarray(0, -1))).rejects.toThrow('snappy')
  })

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
