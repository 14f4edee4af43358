/**
 * What goes wrong with one answer of the Mtarget simulator. Fields combine: `{latencyMs: 500, gzip: true}` is a slow
 * compressed page. JSON on purpose: the stand-alone simulator takes it by HTTP.
 */
export interface MtargetFault {
  /** Wait so long with the whole answer. The rows have left the queue already, as with the real one. */
  latencyMs?: number
  /** HTTP status. Below 300 or with `keepPage` the body is the page; else an HTML error page, and the queue is spared. */
  status?: number
  /** Send the page with the above status all the same. */
  keepPage?: boolean
  /** Extra headers, e.g. `{"retry-after": "2"}` with status 429. */
  headers?: Record<string, string>
  /** Exactly this as the body, whatever is queued; the queue is spared. */
  body?: string
  /** Never send a byte. `after`: with rows taken off the queue; `before`: without. */
  hang?: 'before' | 'after'
  /** Announce the whole body, destroy the connection after so many bytes of it. */
  destroyAfterBytes?: number
  /** A complete HTTP answer whose JSON ends after so many bytes. */
  cutAfterBytes?: number
  gzip?: boolean
  /** Send the body in pieces of so many bytes (chunked), with a pause between them. */
  pieces?: { bytes: number; pauseMs?: number }
  /** ISO-8859-1, declared in the content type; what it can't express becomes '?'. */
  latin1?: boolean
  /** Values that are whole numbers are sent as JSON numbers, digit for digit. */
  numbers?: boolean
  /** Every row twice. */
  duplicateRows?: boolean
  /** The page's rows over and over, until the client hangs up. */
  endless?: boolean
}

export const HTML_ERROR_PAGE =
  '<!DOCTYPE html>\n<html><head><title>Error</title></head><body><h1>Sorry</h1></body></html>\n'

/** Whether rows leave the queue although the answer is faulty. */
export function takesRows(fault: MtargetFault): boolean {
  if (fault.body !== undefined || fault.hang === 'before') return false
  return fault.status === undefined || fault.status < 300 || fault.keepPage === true
}
