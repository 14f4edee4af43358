/** Tables for the terminal. */

/** A number for people: `1,130`. */
export const formatNumber = (value: number): string => Math.round(value).toLocaleString('en-US')

/**
 * Columns that are aligned by spaces, with a rule below the head and above the last row, which holds the totals.
 * @param rows numbers are formatted and aligned to the right
 */
export function formatTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const texts = [head, ...rows.map((row) => row.map((cell) => (typeof cell === 'number' ? formatNumber(cell) : cell)))]
  const widths = head.map((_, column) => Math.max(...texts.map((row) => row[column]!.length)))
  const isNumeric = head.map((_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'))
  const lines = texts.map((row) =>
    row
      .map((cell, column) => (isNumeric[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join('  ')
      .trimEnd(),
  )
  const rule = '-'.repeat(Math.max(...lines.map((line) => line.length)))
  return [lines[0], rule, ...lines.slice(1, -1), rule, lines.at(-1)].join('\n')
}
