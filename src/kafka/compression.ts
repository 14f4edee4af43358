/**
 * Compression codecs, for the producers of this program and for the consumers of kafkajs, which contains only gzip. The other
 * codecs come from packages that are loaded when they are needed.
 */
import { createRequire } from 'node:module'
import * as zlib from 'node:zlib'
import kafkajs from 'kafkajs'
import { ConnectorError } from '../core/errors.js'
import type { Compression } from './settings.js'

/** The codec interface of kafkajs. `compress` receives the encoder that holds the records of a batch. */
interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>
  decompress(buffer: Buffer): Promise<Buffer>
}

// Node.js does not detect this name among the exports of the CommonJS package.
const { CompressionTypes } = kafkajs
const codecs = kafkajs.CompressionCodecs as Record<number, () => Codec>

/** Compresses the records of a batch. */
export interface RecordCompressor {
  /** The number in the attributes of a batch. */
  readonly type: number
  /** Left out for no compression. */
  readonly compress?: (records: Buffer) => Promise<Buffer>
}

/** @throws ConnectorError CONFIG_INVALID: this runtime does not support the compression */
export function createCompressor(name: Compression): RecordCompressor {
  const type = registerCompression(name)
  if (name === 'none') return { type }
  const codec = codecs[type]!()
  return { type, compress: (buffer) => codec.compress({ buffer }) }
}

/**
 * Registers a codec with kafkajs, for producers and consumers.
 *
 * @returns the number to pass to kafkajs
 * @throws ConnectorError CONFIG_INVALID: this runtime does not support the compression
 */
export function registerCompression(name: Compression): number {
  switch (name) {
    case 'none':
      return CompressionTypes.None
    case 'gzip':
      return CompressionTypes.GZIP
    case 'snappy':
      return registerCodec(CompressionTypes.Snappy, snappy())
    case 'lz4':
      return registerCodec(CompressionTypes.LZ4, lz4())
    case 'zstd':
      return registerCodec(CompressionTypes.ZSTD, zstd())
  }
}

/** Registers every codec that this runtime supports, for reading what other producers have written. */
export function registerAllCompressions(): void {
  for (const name of ['snappy', 'lz4', 'zstd'] as const) {
    try {
      registerCompression(name)
    } catch {
      // A consumer that finds such a batch reports that it cannot read it.
    }
  }
}

const registerCodec = (type: number, codec: Codec): number => {
  codecs[type] = () => codec
  return type
}

type TransformBuffer = (input: Buffer) => Promise<Buffer>

/** The first bytes of the framing of snappy-java (xerial). Two versions of 4 bytes follow, and then the blocks. */
const XERIAL_MAGIC = Buffer.from('\u0082SNAPPY\0', 'latin1')
const XERIAL_HEADER_BYTES = 16
const XERIAL_LENGTH_BYTES = 4

/**
 * Java's client reads a bare block, as librdkafka and kafkajs do, so this is what is written. What Java has written consists of
 * framed blocks: all records of a topic with `compression.type=snappy`, because the broker compresses them anew.
 */
function snappy(): Codec {
  const { compress, uncompress } = loadPackage<Record<'compress' | 'uncompress', TransformBuffer>>('snappy', 'snappy')
  return {
    compress: ({ buffer }) => compress(buffer),
    decompress: async (buffer) => {
      if (!buffer.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return uncompress(buffer)
      const blocks = xerialBlocks(buffer).map((block) => uncompress(block))
      return Buffer.concat(await Promise.all(blocks))
    },
  }
}

function xerialBlocks(buffer: Buffer): Buffer[] {
  const blocks: Buffer[] = []
  let offset = XERIAL_HEADER_BYTES
  while (offset < buffer.length) {
    const start = offset + XERIAL_LENGTH_BYTES
    offset = start + buffer.readUInt32BE(offset)
    if (offset > buffer.length) throw new Error('snappy: the last block of the batch is cut')
    blocks.push(buffer.subarray(start, offset))
  }
  return blocks
}

/** Kafka demands LZ4 frames, not blocks. */
function lz4(): Codec {
  const frames = loadPackage<Record<'compressFrame' | 'decompressFrame', TransformBuffer>>('lz4', 'lz4-napi')
  return {
    compress: ({ buffer }) => frames.compressFrame(buffer),
    decompress: (buffer) => frames.decompressFrame(buffer),
  }
}

type Callback = (error: Error | null, result: Buffer) => void

/** Present in Node.js since 22.15 and 23.8. */
interface Zlib {
  readonly zstdCompress?: (input: Buffer, done: Callback) => void
  readonly zstdDecompress?: (input: Buffer, done: Callback) => void
}

/** The WebAssembly package for earlier versions of Node.js. */
interface ZstdWasm {
  init(): Promise<void>
  compress(input: Uint8Array): Uint8Array
  decompress(input: Uint8Array, options?: { readonly defaultHeapSize: number }): Uint8Array
}

/**
 * A frame need not tell the size of its content, and those that Java writes do not. The package takes 1 MiB for it then, and fails
 * where the content is larger, so more is tried.
 */
const ZSTD_CONTENT_BYTES = [1, 8, 64, 256].map((mebibytes) => mebibytes * 1024 * 1024)

function decompressWithWasm(wasm: ZstdWasm, buffer: Buffer): Buffer {
  let failure: unknown
  for (const defaultHeapSize of ZSTD_CONTENT_BYTES) {
    try {
      return Buffer.from(wasm.decompress(buffer, { defaultHeapSize }))
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

function zstd(): Codec {
  const { zstdCompress, zstdDecompress } = zlib as Zlib
  if (zstdCompress && zstdDecompress) {
    return {
      compress: ({ buffer }) => promisify(zstdCompress, buffer),
      decompress: (buffer) => promisify(zstdDecompress, buffer),
    }
  }
  const wasm = loadPackage<ZstdWasm>('zstd', '@bokuweb/zstd-wasm')
  const loaded = wasm.init()
  return {
    compress: ({ buffer }) => loaded.then(() => Buffer.from(wasm.compress(buffer))),
    decompress: (buffer) => loaded.then(() => decompressWithWasm(wasm, buffer)),
  }
}

const promisify = (run: NonNullable<Zlib['zstdCompress']>, input: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) => run(input, (error, result) => (error ? reject(error) : resolve(result))))

const loadPackage = <T>(compression: Compression, name: string): T => {
  try {
    return createRequire(import.meta.url)(name) as T
  } catch (error) {
    throw unavailableError(compression, `the package ${name} is not installed`, error)
  }
}

const unavailableError = (compression: Compression, why: string, cause?: unknown): ConnectorError =>
  new ConnectorError(
    'CONFIG_INVALID',
    `kafka.compression: ${compression} is not available (${why}); none and gzip always are`,
    { cause },
  )
