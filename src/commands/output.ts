/**
 * Writes to standard output. Resolves when the reader has taken everything, or is gone: the process exits afterwards, and
 * Node.js would drop what a pipe has not taken by then.
 */
export function printOutput(text: string): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.once('error', () => resolve())
    process.stdout.write(text, () => resolve())
  })
}
