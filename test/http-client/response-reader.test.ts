import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ResponseReader } from '../../src/http-client/response-reader.js'
import { isSubsequence, oddlyFramed } from '../support/odd-framing.js'

const read = (bytes: Uint8Array, isClosed = true, maxBytes = Infinity): ResponseReader => {
  const reader = new ResponseReader(maxBytes)
  reader.push(bytes)
  reader.end(isClosed)
  return reader
}

const summarize = ({ responses, framingError, unread }: ResponseReader) => ({
  responses: responses.map(({ status, headers, body, isComplete, isPersistent }) => ({
    status,
    headers,
    body: Buffer.concat(body).toString('latin1'),
    isComplete,
    isPersistent,
  })),
  framingError,
  unread: Buffer.from(unread).toString('latin1'),
})

const bodyOf = (text: string): string => summarize(read(Buffer.from(text, 'latin1'))).responses[0]?.body ?? ''

describe('ResponseReader reading framing that has one meaning', () => {
  it.each([
    ['a response with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'],
    ['the same length twice', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\n{}'],
    ['a list of one length', 'HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}'],
    [
      'chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;ext=1\r\n}\r\n0\r\nX-Trailer: 1\r\n\r\n',
    ],
    [
      'a chunk whose size has many zeros',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'0'.repeat(20)}2\r\n{}\r\n000\r\n\r\n`,
    ],
    ['chunks without the last empty line', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n'],
    ['a body up to the end of the connection', 'HTTP/1.0 200 OK\r\n\r\n{}'],
    ['line ends without CR', 'HTTP/1.1 200 OK\nContent-Length: 2\n\n{}'],
    ['a folded line', 'HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\n{}'],
    [
      'interim responses',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}',
    ],
    ['a megabyte of header fields', `HTTP/1.1 200 OK\r\n${'X-Large: y\r\n'.repeat(90_000)}Content-Length: 2\r\n\r\n{}`],
    ['empty lines around the response', '\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}\r\n\r\n'],
    ['a status line without a reason', 'HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}'],
  ])('reads %s', (_name, text) => {
    const { responses, framingError, unread } = summarize(read(Buffer.from(text, 'latin1')))
    expect(responses).toMatchObject([{ status: 200, body: '{}', isComplete: true }])
    expect({ framingError, unread }).toEqual({ framingError: null, unread: '' })
  })

  it('joins the values of a repeated field, and reads names in any case', () => {
    const reader = read(Buffer.from('HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSET-COOKIE: b\r\nContent-Length: 0\r\n\r\n'))
    expect(reader.responses[0]?.headers).toEqual({ 'set-cookie': 'a, b', 'content-length': '0' })
  })

  it.each([
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', true],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n', false],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: timeout=2\r\n\r\n', false],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: timeout=5\r\n\r\n', true],
    ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', false],
    ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n', true],
    ['HTTP/1.1 200 OK\r\n\r\n', false],
  ])('tells whether the connection persists after %j', (text, isPersistent) => {
    expect(read(Buffer.from(text)).responses[0]?.isPersistent).toBe(isPersistent)
  })

  it.each([
    ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}'],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n'],
    ['a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}'],
  ])('tells that a body with %s is incomplete', (_name, text) => {
    const { responses, framingError } = summarize(read(Buffer.from(text)))
    expect(responses).toMatchObject([{ body: '{}', isComplete: false }])
    expect(framingError).toBeNull()
  })

  it('tells that a body without a length is incomplete if the connection was not closed in good order', () => {
    const bytes = Buffer.from('HTTP/1.1 200 OK\r\n\r\n{}')
    expect(read(bytes, true).responses[0]?.isComplete).toBe(true)
    expect(read(bytes, false).responses[0]?.isComplete).toBe(false)
  })
})

describe('ResponseReader reading framing that has no certain meaning', () => {
  it.each([
    ['no status line', '{"results":[]}', '{"results":[]}'],
    ['different lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\n{"a"}', '{"a"}'],
    ['an invalid length', 'HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{"a"}', '{"a"}'],
    ['a length that is too small', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{"a"}', '{"a"}'],
    ['a body where none may be', 'HTTP/1.1 204 No Content\r\n\r\n{"a"}', '{"a"}'],
    ['no chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{"a"}', '{"a"}'],
    [
      'chunks and a length',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n5\r\n{"a"}\r\n0\r\n\r\n',
      '{"a"}',
    ],
    ['no empty line before the body', 'HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n{"a"}', '{"a"}'],
    [
      'no empty line before the first chunk',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n3\r\n{"a\r\n2\r\n"}\r\n0\r\n\r\n',
      '{"a"}',
    ],
    ['an invalid line among the fields', 'HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 5\r\n\r\n{"a"}', '{"a"}'],
    ['a bad status code', 'HTTP/1.1 2x0 OK\r\n\r\n', 'HTTP/1.1 2x0 OK\r\n\r\n'],
  ])('reports %s and reads the most probable body', (_name, text, body) => {
    expect(bodyOf(text)).toBe(body)
    expect(read(Buffer.from(text)).framingError).not.toBeNull()
  })

  it('reads each of several answers', () => {
    const { responses, framingError } = summarize(
      read(
        Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n[]'),
      ),
    )
    expect(responses).toMatchObject([
      { status: 200, body: '{}' },
      { status: 500, body: '[]' },
    ])
    expect(framingError).toBe('another answer follows the first one')
  })

  it('reads an answer after the rest of an earlier one', () => {
    const { responses } = summarize(read(Buffer.from('"late"]}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}')))
    expect(responses).toMatchObject([
      { status: null, body: '"late"]}' },
      { status: 200, body: '{}', isComplete: true },
    ])
  })

  it.each([
    ['half a header section', 'HTTP/1.1 200 OK\r\nContent-Le', 'HTTP/1.1 200 OK\r\nContent-Le'],
    ['half a status line', 'HTTP/1.1 2', 'HTTP/1.1 2'],
    [
      'what follows an invalid chunk',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n{"a"}',
      'zz\r\n{"a"}',
    ],
  ])('keeps %s as unread', (_name, text, unread) => {
    expect(summarize(read(Buffer.from(text))).unread).toBe(unread)
  })
})

describe('ResponseReader with a limit', () => {
  it('stops exactly at the limit of the body', () => {
    const reader = read(Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n${'x'.repeat(50)}`), true, 20)
    expect(reader.isTooLong).toBe(true)
    expect(summarize(reader).responses).toMatchObject([{ body: 'x'.repeat(20), isComplete: false }])
  })

  it('stops in a header section that never ends', () => {
    const reader = new ResponseReader(1_000)
    reader.push(Buffer.from('HTTP/1.1 200 OK\r\n'))
    for (let line = 0; line < 3_000 && !reader.isTooLong; line++)
      reader.push(Buffer.from(`x: ${'y'.repeat(1_000)}\r\n`))
    expect(reader.isTooLong).toBe(true)
  })
})

const rows = Array.from({ length: 6 }, (_, index) => ({
  MsgId: `marker-${index}`,
  Status: '3',
  Text: `é\u{1f600}${index}`,
}))
const page = Buffer.from(JSON.stringify({ results: rows }))
const pieces = (bytes: Buffer, cuts: readonly number[]): Buffer[] => {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end))
}
/** Bytes that are often a part of HTTP, so that they reach every state of the reader. */
const httpLike = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        'HTTP/1.1 200 OK\r\n',
        'HTTP/1.0 100 \n',
        'HTTP/',
        '\r\n',
        '\n',
        '\r',
        '{"a":1}',
        'Content-Length: 5\r\n',
      ),
      fc.constantFrom(
        'Content-Length: x\r\n',
        'Transfer-Encoding: chunked\r\n',
        '5\r\nabcde\r\n',
        '0\r\n',
        '\r\n\r\n',
        ' x\r\n',
      ),
      fc.string({ maxLength: 5, unit: 'binary' }),
    ),
    { maxLength: 20 },
  )
  .map((parts) => Buffer.from(parts.join(''), 'latin1'))

describe('ResponseReader reading any bytes', () => {
  it('keeps every byte of an oddly framed page, in a body or as unread', () => {
    fc.assert(
      fc.property(oddlyFramed(page), ({ bytes, closes }) => {
        const { responses, unread } = read(bytes, closes)
        const kept = Buffer.concat([...responses.flatMap(({ body }) => body), unread])
        expect(isSubsequence(page, kept)).toBe(true)
      }),
      { numRuns: 3_000 },
    )
  })

  it('gives the same result however the bytes are divided', () => {
    const anyBytes = fc.oneof(
      httpLike,
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      oddlyFramed(page).map(({ bytes }) => bytes),
    )
    fc.assert(
      fc.property(anyBytes, fc.array(fc.nat(), { maxLength: 40 }), fc.boolean(), (bytes, cuts, isClosed) => {
        const reader = new ResponseReader(Infinity)
        for (const piece of pieces(bytes, cuts)) reader.push(piece)
        reader.end(isClosed)
        expect(summarize(reader)).toEqual(summarize(read(bytes, isClosed)))
      }),
      { numRuns: 3_000 },
    )
  })

  it('gives the same result for one byte at a time', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          httpLike,
          oddlyFramed(page).map(({ bytes }) => bytes.subarray(0, 3_000)),
        ),
        (bytes) => {
          const reader = new ResponseReader(Infinity)
          for (const byte of bytes) reader.push(Uint8Array.of(byte))
          reader.end(true)
          expect(summarize(reader)).toEqual(summarize(read(bytes)))
        },
      ),
      { numRuns: 500 },
    )
  })
})
