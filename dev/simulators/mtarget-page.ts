import type { MtargetRow } from './data.js'

/** A page as bytes, with the place where each row is complete: a test of cut answers must know what arrived whole. */
export interface Page {
  readonly bytes: Buffer
  /** Offset behind the closing brace of each row. */
  readonly rowEnds: readonly number[]
}

export interface PageForm {
  numbers?: boolean
  encoding: 'utf8' | 'latin1'
}

const HEAD = '{"results":['
const TAIL = ']}'

export function page(rows: readonly MtargetRow[], form: PageForm): Page {
  const parts: Buffer[] = [Buffer.from(HEAD)]
  const rowEnds: number[] = []
  let length = HEAD.length
  for (const [index, row] of rows.entries()) {
    const part = rowBytes(row, index === 0, form)
    parts.push(part)
    length += part.length
    rowEnds.push(length)
  }
  parts.push(Buffer.from(TAIL))
  return { bytes: Buffer.concat(parts), rowEnds }
}

/** How many rows are complete within the first `bytes` bytes. */
export function wholeRows(of: Page, bytes: number): number {
  return of.rowEnds.filter((end) => end <= bytes).length
}

export function rowBytes(row: MtargetRow, first: boolean, form: PageForm): Buffer {
  const fields = Object.entries(row).map(([key, value]) => {
    const asNumber = form.numbers === true && /^(0|[1-9]\d*)$/.test(value)
    return `${JSON.stringify(key)}:${asNumber ? value : JSON.stringify(value)}`
  })
  const json = `${first ? '' : ','}{${fields.join(',')}}`
  if (form.encoding === 'utf8') return Buffer.from(json, 'utf8')
  // Buffer's own latin1 would keep the low byte of any character: garbage instead of a substitute.
  return Buffer.from(json.replace(/[^\p{ASCII}\u0080-\u00ff]/gu, '?'), 'latin1')
}
