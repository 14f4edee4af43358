import type { WriteStream } from 'node:tty'

/**
 * Says what is going on and how far it is.
 *
 * `step` is a line that stays; `update` is the state of something under way: one line that is rewritten on a terminal,
 * and at most one line a second elsewhere (a CI log must neither be silent for minutes nor drown).
 */
export interface Progress {
  step(text: string): void
  update(text: string): void
}

const NON_TTY_INTERVAL_MS = 1_000

/** Progress on a stream, standard error by default: standard output belongs to results. */
export function progressOn(stream: NodeJS.WriteStream | WriteStream = process.stderr): Progress {
  let lineIsOpen = false
  let lastUpdateAt = 0
  let lastUpdate = ''

  return {
    step(text) {
      stream.write(`${lineIsOpen ? '\r\x1b[K' : ''}${text}\n`)
      lineIsOpen = false
      lastUpdate = ''
    },
    update(text) {
      if (text === lastUpdate) return
      if (stream.isTTY) {
        // A line longer than the terminal would wrap, and '\r' would then rewrite its last part only.
        stream.write(`\r\x1b[K${text.slice(0, Math.max(20, (stream.columns || 80) - 1))}`)
        lineIsOpen = true
      } else {
        if (Date.now() - lastUpdateAt < NON_TTY_INTERVAL_MS) return
        stream.write(`${text}\n`)
      }
      lastUpdate = text
      lastUpdateAt = Date.now()
    },
  }
}

/** Progress that nobody hears. */
export const silent: Progress = { step: () => undefined, update: () => undefined }

/** Bytes for people: `43.1 MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}
