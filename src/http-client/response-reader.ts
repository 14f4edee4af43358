/**
 * Reads HTTP/1.x responses (RFC 9112) from bytes, leniently and totally: it never throws, and every byte ends as a part of
 * a status line, of header fields, of the framing of a body, of a body, or of `unread`.
 *
 * A strict parser protects servers and proxies from request smuggling. Here it would do harm: the queue of a provider
 * forgets a page as soon as it has sent it, so a page that the parser refuses is lost. Framing that is unusual but has one
 * meaning is therefore read like any other: interim responses before the final one, header fields of any size, a
 * Content-Length that is repeated, folded lines, line ends without CR. Framing that has more than one meaning, or none, is
 * read in the way that most probably finds the body, and `framingError` says what is wrong. The caller then keeps the
 * whole answer, so that nothing depends on the guess.
 *
 * The reader is incremental, because the connection has to know when an answer ends. Its result does not depend on how the
 * bytes are divided among the calls of `push`.
 */
import { quote } from '../masking/known-secrets.js'

/** A final response. Interim responses (1xx) are dropped. */
export interface ReadResponse {
  /** null if the bytes have no status line. */
  readonly status: number | null
  /** Names are in lower case. The values of a repeated field are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
  /** The status line and the header fields as they arrived. */
  readonly head: Uint8Array
  /** The pieces of the body, without the framing of the chunked transfer coding. */
  readonly body: readonly Uint8Array[]
  /** Whether the whole body has arrived. */
  readonly isComplete: boolean
  /** Whether the connection may be used for another request (RFC 9112, section 9.3). */
  readonly isPersistent: boolean
}

interface MutableResponse extends ReadResponse {
  headers: Readonly<Record<string, string>>
  readonly body: Uint8Array[]
  isComplete: boolean
  isPersistent: boolean
  framing: 'none' | 'length' | 'chunked' | 'until-close'
}

type State =
  /** Before a status line. */
  | 'start'
  | 'head'
  | 'fixed-length'
  | 'chunk-size'
  | 'chunk-data'
  | 'chunk-end'
  | 'trailers'
  /** In a body that ends with the connection. */
  | 'until-close'
  /** In bytes that are not expected and are read as a body. A status line among them begins another response. */
  | 'unexpected'
  /** Behind an invalid chunk. */
  | 'unread'
  | 'too-long'

type Fields = ReadonlyMap<string, readonly string[]>

const LF = 0x0a
const NO_BYTES = new Uint8Array()
const STATUS_LINE = /^HTTP\/(\d(?:\.\d)?)[ \t]+(\d{3})(?:[ \t\r\n]|$)/i
const STATUS_LINE_PREFIX = 'HTTP/'
/** A longer line is not a status line. */
const MAX_STATUS_LINE_BYTES = 64 * 1024
/** A status line among other bytes. The pattern is strict, because these bytes may be the text of a message. */
const STATUS_LINE_WITHIN = /HTTP\/1\.[01] \d{3}[ \r\n]/
/** One byte less than the shortest text that `STATUS_LINE_WITHIN` matches. */
const STATUS_LINE_OVERLAP_BYTES = 12
const FIELD_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*:([^]*)$/
/** The beginning of a JSON text in place of a header field: the empty line before the body is missing. */
const JSON_LINE = /^[ \t]*[{[]/
/** With an extension, which is ignored (RFC 9112, section 7.1.1). Twelve digits are more than any answer needs. */
const CHUNK_SIZE = /^[ \t]*0*([0-9a-f]{1,12})[ \t]*(?:;.*)?$/i
/** In place of a header field. */
const BARE_CHUNK_SIZE = /^[0-9a-f]{1,12}\r?\n?$/i
const MAYBE_CHUNK_SIZE = /^[ \t]*[0-9a-f]*[ \t]*(?:[\r;]|$)/i
const MAX_CHUNK_LINE_BYTES = 64 * 1024
/** Header sections of this size are read, however small the limit of the body is. */
const MIN_FRAMING_BYTES = 2 * 1024 * 1024
/** A server that keeps an idle connection for less time may close it while the next request is on its way. */
const SHORTEST_KEEP_ALIVE_SECONDS = 3

export class ResponseReader {
  readonly #responses: MutableResponse[] = []
  readonly #unread: Uint8Array[] = []
  readonly #maxBytes: number
  readonly #maxFramingBytes: number
  #state: State = 'start'
  #framingError: string | null = null
  #pushedBytes = 0
  #bodyBytes = 0
  /** Bytes without a meaning yet: the beginning of a line. */
  #pending: Uint8Array[] = []
  #pendingBytes = 0
  /** The empty lines behind the last response. */
  #emptyLines: Uint8Array[] = []
  #headLines: Uint8Array[] = []
  /** The bytes that are missing in the present body or chunk. */
  #missingBytes = 0
  /** If there are several Content-Lengths, the bytes that are missing before the shortest one is reached. */
  #missingToShortest = Infinity

  /**
   * @param maxBytes the bytes of all bodies after which reading stops. All other bytes together have the same limit, or
   *   `MIN_FRAMING_BYTES` if that is more.
   */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#maxFramingBytes = Math.max(maxBytes, MIN_FRAMING_BYTES)
  }

  get responses(): readonly ReadResponse[] {
    return this.#responses
  }

  /** The bytes that belong to no response: damaged header sections, and what follows an invalid chunk. */
  get unread(): Uint8Array {
    return joinBytes(this.#unread)
  }

  /** What is wrong with the framing, as a clause; null if every byte has one meaning. */
  get framingError(): string | null {
    return this.#framingError
  }

  /** Whether no further byte is expected. */
  get isComplete(): boolean {
    return this.#state === 'start' && this.#responses.length > 0 && this.#pendingBytes === 0
  }

  /** Whether a whole response has arrived, though more bytes may belong to it. */
  get hasWholeResponse(): boolean {
    return this.#missingToShortest <= 0 || this.#responses.some(({ isComplete }) => isComplete)
  }

  /** Whether the limit was reached. Bytes that are pushed after that are dropped. */
  get isTooLong(): boolean {
    return this.#state === 'too-long'
  }

  push(bytes: Uint8Array): void {
    this.#pushedBytes += bytes.byteLength
    this.#process(bytes)
    if (this.#pushedBytes - this.#bodyBytes > this.#maxFramingBytes) this.#state = 'too-long'
  }

  /** Gives the bytes that are left a meaning. @param isClosed whether the other side has closed the connection in order */
  end(isClosed: boolean): void {
    const isTooLong = this.#state === 'too-long'
    if (!isTooLong) this.#endState(this.#takePending())
    const response = this.#responses.at(-1)
    if (response === undefined) this.#reportError('the answer ended before its body began')
    else if (this.#missingToShortest <= 0) response.isComplete = true
    else if (response.framing === 'until-close' && !isTooLong) response.isComplete ||= isClosed && !lacksBody(response)
  }

  #endState(pending: Uint8Array): void {
    if (this.#state === 'start' && !isEmptyLine(pending)) {
      if (beginsLikeStatusLine(pending)) return this.#loseHead(pending)
      this.#expectNoStatusLine()
      this.#process(pending)
      this.#appendBody(this.#takePending())
    } else if (this.#state === 'head') {
      if (!JSON_LINE.test(textOf(pending))) return this.#loseHead(pending)
      this.#beginBodyWithoutEmptyLine()
      this.#process(pending)
      this.#endState(this.#takePending())
    } else if (this.#state === 'unexpected') {
      this.#appendBody(pending)
    } else if (this.#state === 'chunk-size' && pending.byteLength > 0) {
      const size = chunkSizeOf(pending)
      if (size === 0) this.#completeResponse()
      else if (size === undefined) this.#failChunk(pending)
    } else if (this.#state === 'trailers' && !FIELD_LINE.test(textOf(pending))) {
      this.#state = 'start'
      this.#endState(pending)
    }
  }

  #process(bytes: Uint8Array): void {
    let rest = bytes
    while (rest.byteLength > 0 && this.#state !== 'too-long') rest = this.#step(rest)
  }

  /** Gives bytes a meaning, up to the next change of the state. @returns the bytes that are left */
  #step(bytes: Uint8Array): Uint8Array {
    switch (this.#state) {
      case 'start':
        return this.#readStart(bytes)
      case 'head':
        return this.#readHead(bytes)
      case 'fixed-length':
        return this.#readFixedLength(bytes)
      case 'chunk-size':
        return this.#readChunkSize(bytes)
      case 'chunk-data':
        return this.#readChunkData(bytes)
      case 'chunk-end':
        return this.#readChunkEnd(bytes)
      case 'trailers':
        return this.#readTrailer(bytes)
      case 'unexpected':
        return this.#readUnexpected(bytes)
      case 'until-close':
        this.#appendBody(bytes)
        return NO_BYTES
      case 'unread':
        this.#unread.push(bytes)
        return NO_BYTES
      case 'too-long':
        return NO_BYTES
    }
  }

  /** Splits off the next line, with its end and what was pending before. Without a line end, all bytes are pending. */
  #takeLine(bytes: Uint8Array): { line: Uint8Array; rest: Uint8Array } | undefined {
    const length = bytes.indexOf(LF) + 1
    if (length === 0) {
      this.#pending.push(bytes)
      this.#pendingBytes += bytes.byteLength
      return undefined
    }
    const lineEnd = bytes.subarray(0, length)
    const line = this.#pendingBytes === 0 ? lineEnd : joinBytes([this.#takePending(), lineEnd])
    return { line, rest: bytes.subarray(length) }
  }

  #takePending(): Uint8Array {
    const pending = joinBytes(this.#pending)
    this.#pending = []
    this.#pendingBytes = 0
    return pending
  }

  #readStart(bytes: Uint8Array): Uint8Array {
    const taken = this.#takeLine(bytes)
    if (taken === undefined) {
      const beginning = joinBytes(this.#pending.slice(0, STATUS_LINE_PREFIX.length))
      const isUndecided = isEmptyLine(beginning) || beginsLikeStatusLine(beginning)
      if (isUndecided && this.#pendingBytes < MAX_STATUS_LINE_BYTES) return NO_BYTES
      this.#expectNoStatusLine()
      return this.#takePending()
    }
    const { line, rest } = taken
    if (isEmptyLine(line)) {
      this.#emptyLines.push(line)
      return rest
    }
    if (line.byteLength > MAX_STATUS_LINE_BYTES || !STATUS_LINE.test(textOf(line))) {
      this.#expectNoStatusLine()
      return joinBytes([line, rest])
    }
    if (this.#responses.length > 0) this.#reportError('another answer follows the first one')
    this.#emptyLines = []
    this.#headLines = [line]
    this.#state = 'head'
    return rest
  }

  /** Reads what follows as the continuation of the body before it, or else as a body without a header section. */
  #expectNoStatusLine(): void {
    const emptyLines = this.#emptyLines
    const previous = this.#responses.at(-1)
    this.#emptyLines = []
    this.#state = 'unexpected'
    if (previous === undefined) this.#reportError('there is no status line')
    else this.#reportError('more bytes follow the end of the answer')
    const continuesBody = previous?.framing === 'length' || previous?.framing === 'none'
    if (!continuesBody) this.#responses.push(createResponse(null, NO_BYTES, new Map()))
    for (const line of emptyLines) this.#appendBody(line)
  }

  #readHead(bytes: Uint8Array): Uint8Array {
    const taken = this.#takeLine(bytes)
    if (taken === undefined) return NO_BYTES
    const { line, rest } = taken
    if (JSON_LINE.test(textOf(line)) || this.#isFirstChunkSize(line)) {
      this.#beginBodyWithoutEmptyLine()
      return joinBytes([line, rest])
    }
    this.#headLines.push(line)
    if (isEmptyLine(line)) this.#beginBody()
    return rest
  }

  /** Whether a line of the header section is the size of the first chunk: the empty line before the body is missing. */
  #isFirstChunkSize(line: Uint8Array): boolean {
    if (!BARE_CHUNK_SIZE.test(textOf(line))) return false
    const { fields } = parseHead(this.#headLines)
    return listOf(fields, 'transfer-encoding').some((coding) => coding.toLowerCase() === 'chunked')
  }

  #beginBodyWithoutEmptyLine(): void {
    this.#reportError('there is no empty line between the header fields and the body')
    this.#beginBody()
  }

  /** Keeps a header section that has not arrived up to its end. */
  #loseHead(pending: Uint8Array): void {
    this.#reportError('the answer ended inside its header section')
    this.#unread.push(...this.#headLines, pending)
    this.#headLines = []
  }

  #beginBody(): void {
    const head = joinBytes(this.#headLines)
    const { status, version, fields, hasInvalidLine } = parseHead(this.#headLines)
    this.#headLines = []
    if (hasInvalidLine) {
      this.#reportError('a line of the header section is not a field')
      this.#unread.push(head)
    }
    if (status >= 100 && status <= 199) {
      this.#state = 'start'
      return
    }
    const response = createResponse(status, head, fields)
    this.#responses.push(response)
    this.#missingToShortest = Infinity
    this.#chooseFraming(response, fields)
    response.isPersistent = response.framing !== 'until-close' && isPersistent(version, response.headers)
  }

  /** Decides where the body ends (RFC 9112, section 6.3). */
  #chooseFraming(response: MutableResponse, fields: Fields): void {
    const codings = listOf(fields, 'transfer-encoding').map((coding) => coding.toLowerCase())
    const transferCodings = codings.filter((coding) => coding !== 'identity')
    const lengths = [...new Set(listOf(fields, 'content-length'))]
    if (response.status === 204 || response.status === 304) {
      response.framing = 'none'
      this.#completeResponse()
    } else if (transferCodings.length > 0) {
      if (lengths.length > 0) this.#reportError('there are both Transfer-Encoding and Content-Length')
      this.#expectTransferCodings(response, transferCodings)
    } else if (fields.has('content-length')) {
      this.#expectLength(response, lengths)
    } else {
      this.#state = 'until-close'
    }
  }

  #expectTransferCodings(response: MutableResponse, codings: readonly string[]): void {
    const compressions = codings.filter((coding) => coding !== 'chunked')
    if (compressions.length > 0) {
      this.#reportError(`Transfer-Encoding is ${quoteField(codings)}`)
      const contentCodings = [response.headers['content-encoding'], ...compressions]
      const contentEncoding = contentCodings.filter((coding) => coding !== undefined).join(', ')
      response.headers = { ...response.headers, 'content-encoding': contentEncoding }
    }
    if (codings.includes('chunked')) response.framing = 'chunked'
    this.#state = response.framing === 'chunked' ? 'chunk-size' : 'until-close'
  }

  #expectLength(response: MutableResponse, values: readonly string[]): void {
    const lengths = values.filter((value) => /^\d+$/.test(value)).map(Number)
    if (values.length !== 1 || lengths.length !== 1) {
      this.#reportError(`Content-Length is ${quoteField(values)}`)
    }
    if (lengths.length === 0 || lengths.length < values.length) {
      this.#state = 'until-close'
      return
    }
    response.framing = 'length'
    this.#state = 'fixed-length'
    this.#missingBytes = Math.max(...lengths)
    this.#missingToShortest = lengths.length > 1 ? Math.min(...lengths) : Infinity
    if (this.#missingBytes === 0) this.#completeResponse()
  }

  #readFixedLength(bytes: Uint8Array): Uint8Array {
    const part = bytes.subarray(0, this.#missingBytes)
    this.#missingBytes -= part.byteLength
    this.#missingToShortest -= part.byteLength
    this.#appendBody(part)
    if (this.#missingBytes === 0) this.#completeResponse()
    return bytes.subarray(part.byteLength)
  }

  #readChunkSize(bytes: Uint8Array): Uint8Array {
    const taken = this.#takeLine(bytes)
    if (taken === undefined) {
      const isUndecided = MAYBE_CHUNK_SIZE.test(textOf(joinBytes(this.#pending.slice(0, 16))))
      if (isUndecided && this.#pendingBytes < MAX_CHUNK_LINE_BYTES) return NO_BYTES
      this.#failChunk(this.#takePending())
      return NO_BYTES
    }
    const size = taken.line.byteLength > MAX_CHUNK_LINE_BYTES ? undefined : chunkSizeOf(taken.line)
    if (size === undefined) {
      this.#failChunk(taken.line)
    } else if (size === 0) {
      // The body is whole. The trailer section only tells where the answer ends.
      this.#completeResponse()
      this.#state = 'trailers'
    } else {
      this.#missingBytes = size
      this.#state = 'chunk-data'
    }
    return taken.rest
  }

  #readChunkData(bytes: Uint8Array): Uint8Array {
    const part = bytes.subarray(0, this.#missingBytes)
    this.#missingBytes -= part.byteLength
    if (this.#missingBytes === 0) this.#state = 'chunk-end'
    this.#appendBody(part)
    return bytes.subarray(part.byteLength)
  }

  #readChunkEnd(bytes: Uint8Array): Uint8Array {
    const taken = this.#takeLine(bytes)
    const end = taken?.line ?? joinBytes(this.#pending)
    if (!isEmptyLine(end)) {
      this.#takePending()
      this.#failChunk(end)
    } else if (taken !== undefined) {
      this.#state = 'chunk-size'
    }
    return taken?.rest ?? NO_BYTES
  }

  #readTrailer(bytes: Uint8Array): Uint8Array {
    const taken = this.#takeLine(bytes)
    if (taken === undefined) return NO_BYTES
    const { line, rest } = taken
    const text = textOf(line)
    if (FIELD_LINE.test(text) && !JSON_LINE.test(text)) return rest
    this.#state = 'start'
    return isEmptyLine(line) ? rest : joinBytes([line, rest])
  }

  /** Reads bytes where the size or the end of a chunk was expected. */
  #failChunk(bytes: Uint8Array): void {
    const response = this.#responses.at(-1)
    if (response?.body.length === 0) {
      this.#reportError('the body is not chunked, although Transfer-Encoding says so')
      response.framing = 'until-close'
      this.#state = 'until-close'
      return this.#appendBody(bytes)
    }
    this.#reportError('a chunk has an invalid size or end')
    this.#state = 'unread'
    this.#unread.push(bytes)
  }

  #readUnexpected(bytes: Uint8Array): Uint8Array {
    const all = joinBytes([this.#takePending(), bytes])
    const found = STATUS_LINE_WITHIN.exec(textOf(all))
    const length = found?.index ?? Math.max(0, all.byteLength - STATUS_LINE_OVERLAP_BYTES)
    const rest = all.subarray(length)
    this.#appendBody(all.subarray(0, length))
    if (this.#isTooLongNow()) return NO_BYTES
    if (found !== null) {
      this.#completeResponse()
      return rest
    }
    this.#pending = [rest]
    this.#pendingBytes = rest.byteLength
    return NO_BYTES
  }

  /** The state as `#appendBody` has left it; the compiler would take it for unchanged. */
  #isTooLongNow(): boolean {
    return this.#state === 'too-long'
  }

  #appendBody(bytes: Uint8Array): void {
    const response = this.#responses.at(-1)
    if (response === undefined || bytes.byteLength === 0) return
    const kept = bytes.subarray(0, this.#maxBytes - this.#bodyBytes)
    response.body.push(kept)
    this.#bodyBytes += kept.byteLength
    if (kept.byteLength === bytes.byteLength) return
    response.isComplete = false
    this.#state = 'too-long'
  }

  #completeResponse(): void {
    const response = this.#responses.at(-1)
    if (response === undefined || this.#state === 'too-long') return
    response.isComplete = true
    this.#state = 'start'
  }

  /** The first error counts, because later ones often follow from it. */
  #reportError(error: string): void {
    this.#framingError ??= error
  }
}

/**
 * Whether a success without a length ended before its body began. Nothing tells such an answer from one that broke off, and
 * a page may have been on its way.
 */
const lacksBody = ({ status, body }: ReadResponse): boolean =>
  body.length === 0 && status !== null && status >= 200 && status <= 299

const createResponse = (status: number | null, head: Uint8Array, fields: Fields): MutableResponse => ({
  status,
  headers: Object.fromEntries([...fields].map(([name, values]) => [name, values.join(', ')])),
  head,
  body: [],
  isComplete: false,
  isPersistent: false,
  framing: 'until-close',
})

/** Joins pieces, without a copy if there is only one. */
export const joinBytes = (pieces: readonly Uint8Array[]): Uint8Array => {
  const filled = pieces.filter(({ byteLength }) => byteLength > 0)
  const [first] = filled
  return filled.length === 1 && first !== undefined ? first : Buffer.concat(filled)
}

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

/** Whether bytes are nothing but line ends. */
export const isEmptyLine = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0x0a || byte === 0x0d)

/** Whether bytes are the beginning of a status line, as far as they go. */
const beginsLikeStatusLine = (bytes: Uint8Array): boolean => {
  const beginning = textOf(bytes.subarray(0, STATUS_LINE_PREFIX.length)).toUpperCase()
  return STATUS_LINE_PREFIX.startsWith(beginning)
}

const chunkSizeOf = (line: Uint8Array): number | undefined => {
  const [, digits] = CHUNK_SIZE.exec(textOf(line).trimEnd()) ?? []
  return digits === undefined ? undefined : Number.parseInt(digits, 16)
}

const parseHead = ([statusLine = NO_BYTES, ...lines]: readonly Uint8Array[]) => {
  const [, version = '', status = ''] = STATUS_LINE.exec(textOf(statusLine)) ?? []
  const fields = new Map<string, string[]>()
  let hasInvalidLine = false
  let lastValues: string[] | undefined
  for (const bytes of lines) {
    const line = textOf(bytes).trimEnd()
    const [, name, value = ''] = FIELD_LINE.exec(line) ?? []
    if (line === '') continue
    if (name !== undefined) {
      lastValues = fields.get(name.toLowerCase()) ?? []
      lastValues.push(value.trim())
      fields.set(name.toLowerCase(), lastValues)
    } else if (/^[ \t]/.test(line) && lastValues !== undefined) {
      // A folded line continues the field before it (RFC 9112, section 5.2).
      lastValues.push(`${lastValues.pop() ?? ''} ${line.trim()}`)
    } else {
      hasInvalidLine = true
    }
  }
  return { version, status: Number(status), fields, hasInvalidLine }
}

const MAX_QUOTED_FIELD_CHARACTERS = 50

/** Quotes a header field for an error. */
const quoteField = (elements: readonly string[]): string =>
  JSON.stringify(quote(elements.join(', '), MAX_QUOTED_FIELD_CHARACTERS))

/** Returns the elements of a field whose value is a list (RFC 9110, section 5.6.1). */
const listOf = (fields: Fields, name: string): string[] =>
  (fields.get(name) ?? [])
    .flatMap((value) => value.split(','))
    .map((element) => element.trim())
    .filter((element) => element !== '')

const isPersistent = (version: string, headers: Readonly<Record<string, string>>): boolean => {
  const options = (headers['connection'] ?? '').toLowerCase()
  const [, seconds] = /timeout\s*=\s*(\d+)/i.exec(headers['keep-alive'] ?? '') ?? []
  if (seconds !== undefined && Number(seconds) < SHORTEST_KEEP_ALIVE_SECONDS) return false
  return version === '1.1' ? !options.includes('close') : options.includes('keep-alive')
}
