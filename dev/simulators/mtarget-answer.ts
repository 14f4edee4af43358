import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { countWholeRows, renderPage, renderRow, type PageFormat } from './mtarget-page.js'
import type { MtargetRow } from './provider-data.js'

/**
 * What goes wrong with one answer of the Mtarget simulator. The fields can be combined: `{latencyMs: 500, gzip: true}` is
 * a slow compressed page. All values are JSON, because the stand-alone simulator receives them over HTTP.
 */
export interface MtargetFault {
  /** The whole answer is sent this late. The rows have left the queue before, as at Mtarget. */
  latencyMs?: number
  /**
   * HTTP status. From 300 on, and without `keepPage`, the body is an HTML error page and no rows leave the queue.
   */
  status?: number
  /** Sends the page although the status is 300 or more. */
  keepPage?: boolean
  /** Additional headers, for example `{"retry-after": "2"}` with status 429. */
  headers?: Record<string, string>
  /** The exact body, whatever is queued. No rows leave the queue. */
  body?: string
  /** No byte is ever sent. With `after` rows have left the queue, with `before` they have not. */
  hang?: 'before' | 'after'
  /** The whole body is announced, and the connection is destroyed after this many bytes of it. */
  destroyAfterBytes?: number
  /** The HTTP answer is complete, and its JSON ends after this many bytes. */
  cutAfterBytes?: number
  gzip?: boolean
  /** The body is sent in chunks of this many bytes, with a pause between them. */
  pieces?: { bytes: number; pauseMs?: number }
  /** The body is ISO-8859-1, declared in the content type. Characters that it cannot express become '?'. */
  latin1?: boolean
  /** Values that are whole numbers are sent as JSON numbers, digit for digit. */
  numbers?: boolean
  /** Every row is sent twice. */
  duplicateRows?: boolean
  /** The rows of the page are repeated until the client closes the connection. */
  endless?: boolean
}

const HTML_ERROR_PAGE = '<!DOCTYPE html>\n<html><head><title>Error</title></head><body><h1>Sorry</h1></body></html>\n'

/** Whether rows leave the queue for an answer with this fault. */
export function consumesRows(fault: MtargetFault): boolean {
  if (fault.body !== undefined || fault.hang === 'before') return false
  return fault.status === undefined || fault.status < 300 || fault.keepPage === true
}

/**
 * Sends one answer with its fault.
 *
 * @param signal ends every wait when the simulator is stopped
 * @param onRowsSent called with the number of rows that are complete in the bytes being sent
 */
export async function sendAnswer(
  response: ServerResponse,
  rows: readonly MtargetRow[],
  fault: MtargetFault,
  signal: AbortSignal,
  onRowsSent: (rows: number) => void,
): Promise<void> {
  if (fault.latencyMs !== undefined) await delay(fault.latencyMs, undefined, { signal })
  if (fault.hang !== undefined) return

  const format: PageFormat = { encoding: fault.latin1 === true ? 'latin1' : 'utf8', numbers: fault.numbers === true }
  const status = fault.status ?? 200
  if (!consumesRows(fault)) {
    const isHtml = fault.body === undefined
    const type = isHtml ? 'text/html; charset=utf-8' : 'application/json'
    response.writeHead(status, { 'content-type': type, ...fault.headers }).end(fault.body ?? HTML_ERROR_PAGE)
    return
  }

  const headers: Record<string, string> = {
    'content-type': fault.latin1 === true ? 'application/json; charset=ISO-8859-1' : 'application/json',
    ...fault.headers,
  }
  if (fault.endless === true) {
    response.writeHead(status, headers)
    return sendEndlessPage(response, rows, format, onRowsSent)
  }

  const copies = fault.duplicateRows === true ? 2 : 1
  const page = renderPage(
    rows.flatMap((row) => Array<MtargetRow>(copies).fill(row)),
    format,
  )
  const json = fault.cutAfterBytes === undefined ? page.bytes : page.bytes.subarray(0, fault.cutAfterBytes)
  const body = fault.gzip === true ? gzipSync(json) : json
  if (fault.gzip === true) headers['content-encoding'] = 'gzip'
  if (fault.pieces === undefined) headers['content-length'] = String(body.length)
  response.writeHead(status, headers)

  if (fault.destroyAfterBytes === undefined) {
    onRowsSent(Math.floor(countWholeRows(page, json.length) / copies))
    await writeInPieces(response, body, fault.pieces, signal)
    response.end()
    return
  }
  // It is unknown which rows a part of a compressed body holds.
  if (fault.gzip !== true) onRowsSent(Math.floor(countWholeRows(page, fault.destroyAfterBytes) / copies))
  await writeInPieces(response, body.subarray(0, fault.destroyAfterBytes), fault.pieces, signal)
  response.destroy()
}

async function writeInPieces(
  response: ServerResponse,
  body: Buffer,
  pieces: MtargetFault['pieces'],
  signal: AbortSignal,
): Promise<void> {
  const size = pieces?.bytes ?? Math.max(1, body.length)
  const write = writerTo(response)
  for (let offset = 0; offset < body.length; offset += size) {
    if (offset > 0 && pieces?.pauseMs !== undefined) await delay(pieces.pauseMs, undefined, { signal })
    if (response.destroyed) return
    await write(body.subarray(offset, offset + size))
  }
}

async function sendEndlessPage(
  response: ServerResponse,
  rows: readonly MtargetRow[],
  format: PageFormat,
  onRowsSent: (rows: number) => void,
): Promise<void> {
  const write = writerTo(response)
  await write(Buffer.from('{"results":['))
  for (let round = 0; !response.destroyed && rows.length > 0; round += 1) {
    await write(Buffer.concat(rows.map((row, index) => renderRow(row, round + index === 0, format))))
    onRowsSent(rows.length)
  }
}

/**
 * Returns a function that resolves when the kernel has the bytes, or when the client has closed the connection. Bytes
 * that the kernel has are sent even if the response is destroyed afterwards.
 */
function writerTo(response: ServerResponse): (bytes: Buffer) => Promise<void> {
  const closed = new Promise<void>((resolve) => response.once('close', resolve))
  return (bytes) => Promise.race([closed, new Promise<void>((resolve) => response.write(bytes, () => resolve()))])
}
