import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { decodeContent } from '../../../src/providers/wire/content-coding.js'

const page = JSON.stringify({ results: Array.from({ length: 500 }, (_, i) => ({ MsgId: `${i}`, Status: `${i % 7}` })) })
const textOf = (body: Uint8Array, coding?: string): string => {
  const decoded = decodeContent(body, coding)
  return 'bytes' in decoded ? Buffer.from(decoded.bytes).toString() : `problem: ${decoded.problem}`
}

describe('decodeContent', () => {
  it.each([
    ['gzip', gzipSync(page)],
    ['x-gzip', gzipSync(page)],
    ['GZIP', gzipSync(page)],
    ['deflate', deflateSync(page)],
    ['deflate', deflateRawSync(page)],
    ['br', brotliCompressSync(page)],
    ['gzip, br', brotliCompressSync(gzipSync(page))],
    ['identity', Buffer.from(page)],
    ['utf-8', Buffer.from(page)],
    [undefined, Buffer.from(page)],
  ])('decodes the content coding %s', (coding, body) => expect(textOf(body, coding)).toBe(page))

  it.each([
    ['gzip', gzipSync(page)],
    ['deflate', deflateSync(page)],
    ['deflate', deflateRawSync(page)],
    ['br', brotliCompressSync(page)],
  ])('returns what can be inflated of a body with the coding %s that was cut', (coding, body) => {
    const text = textOf(body.subarray(0, Math.floor(body.length / 2)), coding)
    expect(page.startsWith(text)).toBe(true)
    expect(text.length).toBeGreaterThan(100)
  })

  it.each(['gzip', 'deflate', 'br'])(
    'returns plain text as it is although the header names the coding %s',
    (coding) => {
      expect(textOf(Buffer.from(page), coding)).toBe(page)
    },
  )

  it('refuses an unknown coding and names it', () => {
    expect(textOf(Buffer.from(page), 'zstd')).toContain('"zstd"')
  })

  it('refuses a body that inflates to more than the limit', () => {
    for (const body of [gzipSync(page), deflateRawSync(page), brotliCompressSync(page)]) {
      const coding = body[0] === 0x1f ? 'gzip' : body.equals(deflateRawSync(page)) ? 'deflate' : 'br'
      expect(decodeContent(body, coding, page.length - 1)).toEqual({
        problem: `the body inflates to more than ${page.length - 1} bytes`,
      })
      expect(decodeContent(body, coding, page.length)).toHaveProperty('bytes')
    }
  })
})
