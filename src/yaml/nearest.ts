/** The candidate with the fewest typing errors against what was written, regardless of case. */
export const nearest = (written: string, candidates: readonly string[]): string | undefined => {
  let best: string | undefined
  let bestDistance = Infinity
  for (const candidate of candidates) {
    // No key is nearly as long as 100 characters. The limit bounds the work for a very long text.
    const distance = editDistance(written.slice(0, 100).toLowerCase(), candidate.toLowerCase())
    if (distance >= bestDistance) continue
    best = candidate
    bestDistance = distance
  }
  return best
}

/**
 * The number of insertions, deletions, substitutions and swaps of neighbouring characters that turn one text into the
 * other (Damerau-Levenshtein distance, optimal string alignment).
 */
export const editDistance = (from: string, to: string): number => {
  let rowBeforeLast: number[] = []
  let lastRow = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const currentRow = [row]
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1]
      const isSwap = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      const cost = Math.min(
        at(lastRow, column) + 1,
        at(currentRow, column - 1) + 1,
        at(lastRow, column - 1) + (isSame ? 0 : 1),
        isSwap ? at(rowBeforeLast, column - 2) + 1 : Infinity,
      )
      currentRow.push(cost)
    }
    rowBeforeLast = lastRow
    lastRow = currentRow
  }
  return at(lastRow, to.length)
}

const at = (row: readonly number[], column: number): number => row[column] ?? Infinity
