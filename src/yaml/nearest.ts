/**
 * The candidate that begins with what was written, or else the one with the fewest typing errors against it, regardless of case.
 */
export const nearest = (written: string, candidates: readonly string[]): string | undefined => {
  // No key is nearly as long as 100 characters. The limit bounds the work for a very long text.
  const start = written.slice(0, 100).toLowerCase()
  const isBeginning = (candidate: string): boolean => start.length >= 3 && candidate.toLowerCase().startsWith(start)
  const longer = candidates.filter(isBeginning)
  const ranked = (longer.length > 0 ? longer : candidates).map((candidate) => ({
    candidate,
    distance: editDistance(start, candidate.toLowerCase()),
  }))
  return ranked.sort((a, b) => a.distance - b.distance)[0]?.candidate
}

/**
 * The number of insertions, deletions, substitutions and swaps of neighbouring characters that turn one text into the
 * other (Damerau-Levenshtein distance, optimal string alignment).
 */
export const editDistance = (from: string, to: string): number => {
  /** Distances between the beginnings of both texts. A cell that does not exist counts as unreachable. */
  const table: number[][] = []
  const at = (row: number, column: number): number => table[row]?.[column] ?? Infinity
  for (let row = 0; row <= from.length; row++) {
    table.push([])
    for (let column = 0; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1]
      const isSwap = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      const beforeChange = at(row - 1, column - 1) + (isSame ? 0 : 1)
      const beforeSwap = isSwap ? at(row - 2, column - 2) + 1 : Infinity
      const cost = Math.min(at(row, column - 1) + 1, at(row - 1, column) + 1, beforeChange, beforeSwap)
      table[row]?.push(row === 0 && column === 0 ? 0 : cost)
    }
  }
  return at(from.length, to.length)
}
