import type { WriteStream } from 'node:tty'

/** Shows a person what is being done, and how far it is. */
export interface Progress {
  /** Writes a line that stays. */
  step(text: string): void
  /**
   * Shows the state of something that is under way. A terminal shows it in one line that is rewritten. Elsewhere it is at
   * most one line per second, so that the log of a CI job is neither silent for minutes nor flooded.
   */
  update(text: string): void
}

const UPDATE_INTERVAL_MS = 1_000

/** Progress on a stream; by default on standard error, because standard output belongs to results. */
export function progressOn(stream: NodeJS.WriteStream | WriteStream = process.stderr): Progress {
  let isLineOpen = false
  let lastUpdateAt = 0
  let lastUpdate = ''

  return {
    step(text) {
      stream.write(`${isLineOpen ? '\r\x1b[K' : ''}${text}\n`)
      isLineOpen = false
      lastUpdate = ''
    },
    update(text) {
      if (text === lastUpdate) return
      if (stream.isTTY) {
        // A line that is longer than the terminal would wrap, and '\r' would then rewrite only its last part.
        stream.write(`\r\x1b[K${text.slice(0, Math.max(20, (stream.columns || 80) - 1))}`)
        isLineOpen = true
      } else {
        if (Date.now() - lastUpdateAt < UPDATE_INTERVAL_MS) return
        stream.write(`${text}\n`)
      }
      lastUpdate = text
      lastUpdateAt = Date.now()
    },
  }
}

/** Progress that is not shown. */
export const silent: Progress = { step: () => undefined, update: () => undefined }

/** Bytes for people: `43.1 MB`. */
export function formatMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
