import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { MtargetRow } from './data.js'
import { HTML_ERROR_PAGE, takesRows } from './mtarget-fault.js'
import type { MtargetFault } from './mtarget-fault.js'
import { page, rowBytes, wholeRows } from './mtarget-page.js'
import type { PageForm } from './mtarget-page.js'

/**
 * Sends one answer, with whatever goes wrong in it.
 *
 * @param signal aborts waiting when the simulator is stopped
 * @param sent told how many of the rows are complete in what is sent
 */
export async function sendAnswer(
  response: ServerResponse,
  rows: readonly MtargetRow[],
  fault: MtargetFault,
  signal: AbortSignal,
  sent: (rows: number) => void,
): Promise<void> {
  if (fault.latencyMs !== undefined) await delay(fault.latencyMs, undefined, { signal })
  if (fault.hang !== undefined) return

  const form: PageForm = { encoding: fault.latin1 === true ? 'latin1' : 'utf8', numbers: fault.numbers === true }
  const status = fault.status ?? 200
  if (!takesRows(fault)) {
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
    return sendEndlessly(response, rows, form, sent)
  }

  const whole = page(fault.duplicateRows === true ? rows.flatMap((row) => [row, row]) : rows, form)
  const cut = fault.cutAfterBytes === undefined ? whole.bytes : whole.bytes.subarray(0, fault.cutAfterBytes)
  const body = fault.gzip === true ? gzipSync(cut) : cut
  if (fault.gzip === true) headers['content-encoding'] = 'gzip'
  if (fault.pieces === undefined) headers['content-length'] = String(body.length)
  response.writeHead(status, headers)

  const repeated = fault.duplicateRows === true ? 2 : 1
  if (fault.destroyAfterBytes === undefined) {
    sent(Math.floor(wholeRows(whole, cut.length) / repeated))
    await writePieces(response, body, fault.pieces, signal)
    response.end()
    return
  }
  // Of compressed bytes nobody can say which rows they hold.
  if (fault.gzip !== true) sent(Math.floor(wholeRows(whole, fault.destroyAfterBytes) / repeated))
  await writePieces(response, body.subarray(0, fault.destroyAfterBytes), fault.pieces, signal)
  response.destroy()
}

async function writePieces(
  response: ServerResponse,
  body: Buffer,
  pieces: MtargetFault['pieces'],
  signal: AbortSignal,
): Promise<void> {
  const size = pieces?.bytes ?? Math.max(1, body.length)
  const write = writerOf(response)
  for (let at = 0; at < body.length; at += size) {
    if (at > 0 && pieces?.pauseMs !== undefined) await delay(pieces.pauseMs, undefined, { signal })
    if (response.destroyed) return
    await write(body.subarray(at, at + size))
  }
}

async function sendEndlessly(
  response: ServerResponse,
  rows: readonly MtargetRow[],
  form: PageForm,
  sent: (rows: number) => void,
): Promise<void> {
  const write = writerOf(response)
  await write(Buffer.from('{"results":['))
  for (let round = 0; !response.destroyed && rows.length > 0; round += 1) {
    await write(Buffer.concat(rows.map((row, index) => rowBytes(row, round + index === 0, form))))
    sent(rows.length)
  }
}

/**
 * Writing that resolves when the kernel has the bytes (what is destroyed after that has been sent all the same), or
 * when the client hangs up.
 */
function writerOf(response: ServerResponse): (bytes: Buffer) => Promise<void> {
  const closed = new Promise<void>((resolve) => response.once('close', resolve))
  return (bytes) => Promise.race([closed, new Promise<void>((resolve) => response.write(bytes, () => resolve()))])
}
