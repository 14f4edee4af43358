import { createRequire } from 'node:module'
import kafkajs from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { registerCompression, wrappedCompression } from '../../src/publish/compression.js'
import type { Compression } from '../../src/publish/settings.js'

const codecs = kafkajs.CompressionCodecs as Record<
  number,
  () => { compress(encoder: { buffer: Buffer }): Promise<Buffer>; decompress(buffer: Buffer): Promise<Buffer> }
>
const require = createRequire(import.meta.url)
const installed = (name: string): boolean => {
  try {
    require.resolve(name)
    return true
  } catch {
    return false
  }
}
const NEEDS: Partial<Record<Compression, string>> = { snappy: 'snappy', lz4: 'lz4-napi', zstd: '@bokuweb/zstd-wasm' }

describe('compression', () => {
  it('marks batches with the number that Kafka knows, and leaves it to another codec', () => {
    expect([wrappedCompression('none'), wrappedCompression('gzip')]).toEqual([8, 9])
    expect([registerCompression('none'), registerCompression('gzip')]).toEqual([0, 1])
  })

  it.each(['snappy', 'lz4', 'zstd'] as const)(
    'by %s gives back what went in, or says which package is missing',
    async (name) => {
      const [, minor = 0] = process.versions.node.split('.').map(Number)
      const builtIn =
        name === 'zstd' &&
        (Number(process.versions.node.split('.')[0]) > 22 || (process.version.startsWith('v22') && minor >= 15))
      if (!builtIn && !installed(NEEDS[name]!)) {
        expect(() => registerCompression(name)).toThrow(`the package ${NEEDS[name]} is not installed`)
        return
      }
      const codec = codecs[registerCompression(name)]!()
      const text = Buffer.from('the same again. '.repeat(1000))
      const small = await codec.compress({ buffer: text })
      expect(small.length).toBeLessThan(text.length / 10)
      expect((await codec.decompress(small)).equals(text)).toBe(true)
    },
  )
})
