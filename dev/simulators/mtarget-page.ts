import type { MtargetRow } from './provider-data.js'

/** A page as bytes. From `rowEnds` follows which rows of a truncated page arrived whole. */
export interface Page {
  readonly bytes: Buffer
  /** For each row the offset of the first byte after its closing brace. */
  readonly rowEnds: readonly number[]
}

export interface PageFormat {
  /** Writes values that are whole numbers as JSON numbers. */
  numbers?: boolean
  encoding: 'utf8' | 'latin1'
}

const PAGE_START = '{"results":['
const PAGE_END = ']}'

export function renderPage(rows: readonly MtargetRow[], format: PageFormat): Page {
  const parts: Buffer[] = [Buffer.from(PAGE_START)]
  const rowEnds: number[] = []
  let length = PAGE_START.length
  for (const [index, row] of rows.entries()) {
    const part = renderRow(row, index === 0, format)
    parts.push(part)
    length += part.length
    rowEnds.push(length)
  }
  parts.push(Buffer.from(PAGE_END))
  return { bytes: Buffer.concat(parts), rowEnds }
}

/** The number of rows that are complete within the first `bytes` bytes of the page. */
export function countWholeRows(page: Page, bytes: number): number {
  return page.rowEnds.filter((end) => end <= bytes).length
}

/** @param isFirst the first row of a page has no comma in front of it */
export function renderRow(row: MtargetRow, isFirst: boolean, format: PageFormat): Buffer {
  const fields = Object.entries(row).map(([key, value]) => {
    const asNumber = format.numbers === true && /^(0|[1-9]\d*)$/.test(value)
    return `${JSON.stringify(key)}:${asNumber ? value : JSON.stringify(value)}`
  })
  const json = `${isFirst ? '' : ','}{${fields.join(',')}}`
  if (format.encoding === 'utf8') return Buffer.from(json, 'utf8')
  // The latin1 encoding of Buffer keeps the low byte of a character that it cannot express, instead of a substitute.
  return Buffer.from(json.replace(/[^\p{ASCII}\u0080-\u00ff]/gu, '?'), 'latin1')
}
