/** Frames a page of a queue in odd ways, as bytes that a server writes to a socket. */
import fc from 'fast-check'

export interface FramedPage {
  /** What is odd, for the message of a failing test. */
  readonly name: string
  readonly bytes: Buffer
  /** Whether the server closes the connection after the last byte. */
  readonly closes: boolean
}

type LengthKind = (typeof LENGTH_KINDS)[number]

const LENGTH_KINDS = [
  'length',
  'same length twice',
  'length as a list',
  'different lengths',
  'invalid length',
  'negative length',
  'empty length',
  'length too small',
  'length too large',
  'no length',
  'chunked',
  'chunked with extensions',
  'chunked with trailers',
  'chunked without a last chunk',
  'chunked without a last empty line',
  'chunked and length',
  'chunked in name only',
  'invalid chunk',
  'chunk too small',
  'chunk too large',
  'unknown transfer coding',
  'identity',
] as const

const INTERIM = [
  '',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 102 Processing\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n',
  'HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  '\r\n\r\n',
]
const STATUS_LINES = [
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.1 200\r\n',
  'HTTP/1.0 200 OK\r\n',
  'http/1.1 200 ok\r\n',
  'HTTP/1.1  200   OK\r\n',
  'HTTP/2 200\r\n',
  'HTTP/1.1 204 No Content\r\n',
  'HTTP/1.1 205 Reset Content\r\n',
  'HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n',
  'HTTP/1.1 304 Not Modified\r\n',
  'HTTP/1.1 407 Proxy Authentication Required\r\n',
  'HTTP/1.1 421 Misdirected Request\r\n',
  'HTTP/1.1 500 Internal Server Error\r\n',
  'HTTP/1.1 999 \xe9trange\r\n',
  'HTTP/1.1 abc OK\r\n',
  'HTTP/1.1200 OK\r\n',
  'ICY 200 OK\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\u0000\u0000\u0012\u0004\u0000',
  '',
]
const FIELDS = [
  'Content-Type: application/json\r\n',
  'content-type : application/json; charset=utf-8\r\n',
  `Set-Cookie: a=${'b'.repeat(17_000)}\r\n`,
  'Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n',
  'X-Folded: one\r\n two\r\n\tthree\r\n',
  'a line without a colon\r\n',
  ': no name\r\n',
  'X Y: a space in the name\r\n',
  'X-Bytes: \xff\xfe\u0000\u0007\r\n',
  'Connection: close\r\n',
  'Connection: keep-alive\r\nKeep-Alive: timeout=1\r\n',
  '__proto__: x\r\n',
  'X-Bare-LF: 1\n',
]
const AFTERWARDS = ['', '\r\n', '\r\n\r\n', 'garbage', ']}', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK']

const chunk = (data: Buffer, size = data.length, extension = ''): Buffer =>
  Buffer.concat([Buffer.from(`${size.toString(16)}${extension}\r\n`), data, Buffer.from('\r\n')])

/** Returns the fields that describe the length, and the body as it is written. */
const frame = (kind: LengthKind, body: Buffer, cut: number): [fields: string, body: Buffer] => {
  const n = body.length
  const at = Math.min(n, cut)
  const halves = [body.subarray(0, at), body.subarray(at)].filter((half) => half.length > 0)
  const chunks = Buffer.concat(halves.map((half) => chunk(half)))
  const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = halves
  const chunkedField = 'Transfer-Encoding: chunked\r\n'
  switch (kind) {
    case 'length':
      return [`Content-Length: ${n}\r\n`, body]
    case 'same length twice':
      return [`Content-Length: ${n}\r\nContent-Length: ${n}\r\n`, body]
    case 'length as a list':
      return [`Content-Length: ${n}, ${n}\r\n`, body]
    case 'different lengths':
      return [`Content-Length: ${n}\r\nContent-Length: ${cut}\r\n`, body]
    case 'invalid length':
      return ['Content-Length: 12abc\r\n', body]
    case 'negative length':
      return ['Content-Length: -1\r\n', body]
    case 'empty length':
      return ['Content-Length:\r\n', body]
    case 'length too small':
      return [`Content-Length: ${at}\r\n`, body]
    case 'length too large':
      return [`Content-Length: ${n + cut + 1}\r\n`, body]
    case 'no length':
      return ['', body]
    case 'chunked':
      return [chunkedField, Buffer.concat([chunks, Buffer.from('0\r\n\r\n')])]
    case 'chunked with extensions':
      return [
        chunkedField,
        Buffer.concat([...halves.map((half) => chunk(half, half.length, ' ;a="b"')), Buffer.from('0;z\r\n\r\n')]),
      ]
    case 'chunked with trailers':
      return [chunkedField, Buffer.concat([chunks, Buffer.from('0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n')])]
    case 'chunked without a last chunk':
      return [chunkedField, chunks]
    case 'chunked without a last empty line':
      return [chunkedField, Buffer.concat([chunks, Buffer.from('0\r\n')])]
    case 'chunked and length':
      return [`${chunkedField}Content-Length: ${n}\r\n`, Buffer.concat([chunks, Buffer.from('0\r\n\r\n')])]
    case 'chunked in name only':
      return [chunkedField, body]
    case 'invalid chunk':
      return [chunkedField, Buffer.concat([chunk(first), Buffer.from('nonsense\r\n'), second])]
    case 'chunk too small':
      return [
        chunkedField,
        Buffer.concat([chunk(first, Math.max(1, first.length - 3)), chunk(second), Buffer.from('0\r\n\r\n')]),
      ]
    case 'chunk too large':
      return [chunkedField, Buffer.concat([chunk(first, first.length + 3), chunk(second), Buffer.from('0\r\n\r\n')])]
    case 'unknown transfer coding':
      return ['Transfer-Encoding: x-none\r\n', body]
    case 'identity':
      return ['Transfer-Encoding: identity\r\n', body]
  }
}

/** Every way to frame `body` that the lists above can be combined to. */
export const oddlyFramed = (body: Buffer): fc.Arbitrary<FramedPage> =>
  fc
    .record({
      interim: fc.constantFrom(...INTERIM),
      statusLine: fc.constantFrom(...STATUS_LINES),
      fields: fc.subarray(FIELDS, { maxLength: 4 }),
      kind: fc.constantFrom(...LENGTH_KINDS),
      emptyLine: fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', ''),
      cut: fc.nat(body.length + 50),
      afterwards: fc.constantFrom(...AFTERWARDS),
      closes: fc.boolean(),
      hasBareLineFeeds: fc.boolean(),
    })
    .map(({ interim, statusLine, fields, kind, emptyLine, cut, afterwards, closes, hasBareLineFeeds }) => {
      const [lengthFields, framed] = frame(kind, body, cut)
      const head = `${interim}${statusLine}${fields.join('')}${lengthFields}${emptyLine}`
      const bytes = Buffer.concat([
        Buffer.from(hasBareLineFeeds ? head.replaceAll('\r\n', '\n') : head, 'latin1'),
        framed,
        Buffer.from(afterwards),
      ])
      const name = JSON.stringify({
        interim,
        statusLine,
        fields: fields.map((field) => field.slice(0, 40)),
        kind,
        emptyLine,
        afterwards,
      })
      return { name, bytes, closes }
    })

/** Whether all bytes of `part` occur in `whole` in their order, with any other bytes between them, such as sizes of chunks. */
export const isSubsequence = (part: Uint8Array, whole: Uint8Array): boolean => {
  let place = 0
  for (const byte of part) {
    const found = whole.indexOf(byte, place)
    if (found === -1) return false
    place = found + 1
  }
  return true
}
