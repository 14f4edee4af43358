/**
 * Compression codecs for kafkajs, which brings gzip alone. The others are packages of their own, loaded only where they
 * are asked for.
 */
import { createRequire } from 'node:module'
import * as zlib from 'node:zlib'
import kafkajs from 'kafkajs'
import { ConnectorError } from '../core/errors.js'
import { unwrap, WRAPPED } from './kafkajs-workarounds/record-codec.js'
import type { Compression } from './settings.js'

/** What kafkajs calls with its encoder of a batch's records, and with the compressed bytes of one. */
interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>
  decompress(buffer: Buffer): Promise<Buffer>
}

/** Not among the names that Node.js finds in this CommonJS package. */
const { CompressionTypes } = kafkajs
const codecs = kafkajs.CompressionCodecs as Record<number, () => Codec>

/**
 * The number to give kafkajs with records wrapped as in `record-codec.ts`.
 * @throws ConnectorError CONFIG_INVALID: this runtime can't do it
 */
export function wrappedCompression(name: Compression): number {
  const type = registerCompression(name)
  const codec = name === 'none' ? plain : codecs[type]!()
  codecs[type | WRAPPED] = () => ({
    compress: ({ buffer }) => codec.compress({ buffer: unwrap(buffer) }),
    decompress: () => Promise.reject(new Error('only for writing')),
  })
  return type | WRAPPED
}

/**
 * Makes the codec known to kafkajs, for consumers too.
 * @returns kafkajs's number for it
 * @throws ConnectorError CONFIG_INVALID: this runtime can't do it
 */
export function registerCompression(name: Compression): number {
  switch (name) {
    case 'none':
      return CompressionTypes.None
    case 'gzip':
      return CompressionTypes.GZIP
    case 'snappy':
      return register(CompressionTypes.Snappy, snappy())
    case 'lz4':
      return register(CompressionTypes.LZ4, lz4())
    case 'zstd':
      return register(CompressionTypes.ZSTD, zstd())
  }
}

/** Whatever can be done here, for reading what others have written. */
export function registerAllCompressions(): void {
  for (const name of ['snappy', 'lz4', 'zstd'] as const) {
    try {
      registerCompression(name)
    } catch {
      // Met in a topic, it is a failure to read it that says so.
    }
  }
}

const register = (type: number, codec: Codec): number => {
  codecs[type] = () => codec
  return type
}

const plain: Codec = {
  compress: ({ buffer }) => Promise.resolve(buffer),
  decompress: (buffer) => Promise.resolve(buffer),
}

type Whole = (input: Buffer) => Promise<Buffer>

/** Java's client frames its blocks (xerial); a bare block is understood by it, by librdkafka and by us. */
function snappy(): Codec {
  const { compress, uncompress } = load<{ compress: Whole; uncompress: Whole }>('snappy', 'snappy')
  return { compress: ({ buffer }) => compress(buffer), decompress: (buffer) => uncompress(buffer) }
}

/** Kafka wants LZ4 frames, not blocks. */
function lz4(): Codec {
  const { compressFrame, decompressFrame } = load<{ compressFrame: Whole; decompressFrame: Whole }>('lz4', 'lz4-napi')
  return { compress: ({ buffer }) => compressFrame(buffer), decompress: (buffer) => decompressFrame(buffer) }
}

type Callback = (error: Error | null, result: Buffer) => void

/** In Node.js from 22.15 and 23.8 on. */
interface Zlib {
  readonly zstdCompress?: (input: Buffer, done: Callback) => void
  readonly zstdDecompress?: (input: Buffer, done: Callback) => void
}

/** WebAssembly, for older ones. */
interface ZstdWasm {
  init(): Promise<void>
  compress(input: Uint8Array): Uint8Array
  decompress(input: Uint8Array): Uint8Array
}

function zstd(): Codec {
  const { zstdCompress, zstdDecompress } = zlib as Zlib
  if (zstdCompress && zstdDecompress) {
    return {
      compress: ({ buffer }) => whole(zstdCompress, buffer),
      decompress: (buffer) => whole(zstdDecompress, buffer),
    }
  }
  const wasm = load<ZstdWasm>('zstd', '@bokuweb/zstd-wasm')
  const loaded = wasm.init()
  return {
    compress: ({ buffer }) => loaded.then(() => Buffer.from(wasm.compress(buffer))),
    decompress: (buffer) => loaded.then(() => Buffer.from(wasm.decompress(buffer))),
  }
}

const whole = (run: NonNullable<Zlib['zstdCompress']>, input: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) => run(input, (error, result) => (error ? reject(error) : resolve(result))))

const load = <T>(compression: Compression, name: string): T => {
  try {
    return createRequire(import.meta.url)(name) as T
  } catch (error) {
    throw unavailable(compression, `the package ${name} is not installed`, error)
  }
}

const unavailable = (compression: Compression, why: string, cause?: unknown): ConnectorError =>
  new ConnectorError(
    'CONFIG_INVALID',
    `kafka.compression: ${compression} can't be used here (${why}); none and gzip always work`,
    { cause },
  )
