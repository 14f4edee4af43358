/** Standard output of commands that end by themselves. */
import { once } from 'node:events'
import type { Writable } from 'node:stream'

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

/** Writes lines as fast as their reader takes them, and notices when the reader has gone. */
export class LineOutput {
  readonly #stream: Writable
  readonly #closed = new AbortController()

  constructor(stream: Writable) {
    this.#stream = stream
    // Without a listener an error would end the process. The usual one is EPIPE: `| head` has read enough.
    stream.on('error', () => this.#closed.abort())
  }

  /** Aborts when nobody reads any more. */
  get closedSignal(): AbortSignal {
    return this.#closed.signal
  }

  /** Resolves when the reader has taken enough of what was written, or has gone. */
  async write(line: string): Promise<void> {
    if (this.#closed.signal.aborted || this.#stream.write(`${line}\n`)) return
    await once(this.#stream, 'drain', { signal: this.#closed.signal }).catch(() => undefined)
  }

  /** Resolves when the reader has taken everything that was written, or has gone. */
  flush(): Promise<void> {
    return new Promise((resolve) => this.#stream.write('', () => resolve()))
  }
}
