/**
 * Reads a file that `journal export` wrote, line by line: memory holds one line at a time. Each line is validated.
 */
import { createReadStream } from 'node:fs'
import { parseEntry } from './entry-json.js'
import { EXPORT_FORMAT, EXPORT_VERSION, type ExportEnd, type ExportedPosition } from './export-format.js'
import type { EntryWithOrigin } from './journal.js'

/** What an import needs of the first line. */
export type ReadHeader = {
  readonly journal: string
  readonly instance: string | null
  readonly position: ExportedPosition | null
  /** The topic under which Kafka holds the position; null in an export of a build that did not name it, or without a configuration. */
  readonly positionTopic: string | null
}

export type ExportLine =
  | { readonly kind: 'header'; readonly header: ReadHeader }
  | { readonly kind: 'entry'; readonly seq: number; readonly entry: EntryWithOrigin }
  | { readonly kind: 'end'; readonly end: ExportEnd }

/** A line of an export that is not as `journal export` writes it. */
export class ExportLineError extends Error {
  /** Counted from 1. */
  readonly line: number
  /** Whether the file merely ends too early: the lines before are whole. */
  readonly isCut: boolean

  constructor(line: number, problem: string, isCut = false) {
    super(`line ${line}: ${problem}`)
    this.line = line
    this.isCut = isCut
  }
}

/** The body of the largest entry as Base64, and everything else of the entry. */
const MAX_LINE_BYTES = 90 * 1024 * 1024

/**
 * Returns the lines in their order: the header, the entries, and the end if the file has one.
 * @throws ExportLineError where a line is wrong; with `isCut` if the end line is missing
 * @throws an error of the system if the file can't be read
 */
export async function* readExportFile(file: string): AsyncGenerator<ExportLine, void, undefined> {
  yield* readExportLines(createReadStream(file))
}

/** As `readExportFile`, of chunks of any size. */
export async function* readExportLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ExportLine, void, undefined> {
  let line = 0
  let entries = 0
  let lastSeq = -1
  let hasEnded = false
  for await (const { text, isTerminated } of splitLines(chunks)) {
    line++
    if (hasEnded) throw new ExportLineError(line, 'the file goes on behind its end line')
    const value = parseJson(text)
    if (value === undefined) {
      throw new ExportLineError(
        line,
        isTerminated ? 'it is not a JSON object' : 'the file is cut in this line',
        !isTerminated,
      )
    }
    if (line === 1) {
      yield { kind: 'header', header: parseHeader(value) }
      continue
    }
    if (value['end'] === true) {
      hasEnded = true
      yield { kind: 'end', end: parseEnd(value, line, entries) }
      continue
    }
    const seq = value['seq']
    if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq <= lastSeq) {
      throw new ExportLineError(line, `seq: expected a whole number above ${lastSeq}`)
    }
    const parsed = parseEntry(value)
    if ('problem' in parsed) throw new ExportLineError(line, parsed.problem)
    lastSeq = seq
    entries++
    yield { kind: 'entry', seq, entry: parsed.entry }
  }
  if (line === 0) throw new ExportLineError(1, 'the file is empty')
  if (!hasEnded) throw new ExportLineError(line + 1, 'the end line is missing, so the file is cut', true)
}

function parseHeader(value: JsonObject): ReadHeader {
  const { format, version, journal, instance = null, position = null, positionTopic = null } = value
  if (format !== EXPORT_FORMAT) throw new ExportLineError(1, `format: expected "${EXPORT_FORMAT}"`)
  if (version !== EXPORT_VERSION) throw new ExportLineError(1, `version: this release reads ${EXPORT_VERSION}`)
  if (typeof journal !== 'string' || journal === '')
    throw new ExportLineError(1, 'journal: expected the id of a journal')
  if (instance !== null && typeof instance !== 'string')
    throw new ExportLineError(1, 'instance: expected a text or null')
  if (positionTopic !== null && typeof positionTopic !== 'string')
    throw new ExportLineError(1, 'positionTopic: expected a text or null')
  if (position === null) return { journal, instance, position, positionTopic }
  const { upTo, place } = position as Partial<ExportedPosition>
  if (!Number.isSafeInteger(upTo) || typeof place !== 'string') {
    throw new ExportLineError(1, 'position: expected null or {"upTo": number, "place": text}')
  }
  return { journal, instance, position: { upTo: Number(upTo), place }, positionTopic }
}

function parseEnd({ entries, unreadable }: JsonObject, line: number, count: number): ExportEnd {
  if (entries !== count)
    throw new ExportLineError(line, `entries: the file has ${count} entries, not ${String(entries)}`)
  return { end: true, entries: count, unreadable: Number(unreadable) || 0 }
}

type JsonObject = Readonly<Record<string, unknown>>

function parseJson(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
  } catch {
    return undefined
  }
}

interface TextLine {
  readonly text: string
  /** Whether a line break follows. */
  readonly isTerminated: boolean
}

const LINE_FEED = 0x0a

async function* splitLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TextLine, void, undefined> {
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  let line = 1
  for await (const chunk of chunks) {
    let start = 0
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start)
      const part = chunk.subarray(start, end === -1 ? undefined : end)
      pending.push(part)
      pendingBytes += part.byteLength
      if (pendingBytes > MAX_LINE_BYTES) throw new ExportLineError(line, `it has more than ${MAX_LINE_BYTES} bytes`)
      if (end === -1) break
      yield { text: Buffer.concat(pending).toString('utf8'), isTerminated: true }
      pending = []
      pendingBytes = 0
      line++
      start = end + 1
    }
  }
  if (pendingBytes > 0) yield { text: Buffer.concat(pending).toString('utf8'), isTerminated: false }
}
