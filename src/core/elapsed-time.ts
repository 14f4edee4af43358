/** Formats an elapsed time for people, in its two largest units: `3 d 4 h`, `5 min 6 s`, `0 s`. */
export const formatElapsedTime = (seconds: number): string => {
  const amounts = { d: seconds / 86_400, h: (seconds / 3_600) % 24, min: (seconds / 60) % 60, s: seconds % 60 }
  const counts = Object.entries(amounts).map(([unit, amount]) => [unit, Math.floor(amount)] as const)
  const first = counts.findIndex(([, count]) => count > 0)
  if (first === -1) return '0 s'
  const shown = counts.slice(first, first + 2).filter(([, count]) => count > 0)
  return shown.map(([unit, count]) => `${count} ${unit}`).join(' ')
}
