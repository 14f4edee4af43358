/** Standard output and standard error of commands. Everything that a command prints passes through here, without secrets. */
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { escapeControlsInLines } from '../masking/control-characters.js'
import { hideSecretsInOutput } from '../masking/known-secrets.js'
import { personalDataMask } from '../masking/personal-data.js'

/**
 * Writes to standard output. Resolves when the reader has taken everything, or is gone: the process exits afterwards, and
 * Node.js would drop what a pipe has not taken by then.
 */
export function printOutput(text: string): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.once('error', () => resolve())
    process.stdout.write(present(text), () => resolve())
  })
}

/** Prints a message for people on standard error. It may quote what others wrote, and with it the numbers of people. */
export const printMessage = (message: string): void => void process.stderr.write(`${present(maskPeople(message))}\n`)

const maskPeople = personalDataMask('masked').sentence

/** Prints a message of the program on standard error, where the messages of several programs may meet. */
export const warn = (message: string): void => printMessage(`dlr-mo-connector: ${message}`)

/** Neither shows a secret nor lets a text of others control the terminal. */
const present = (text: string): string => escapeControlsInLines(hideSecretsInOutput(text))

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
  write(line: string): Promise<void> {
    return this.writeExactly(present(line))
  }

  /** The same for a line that must reach its reader as it is, secrets included: only an export of the journal. */
  async writeExactly(line: string): Promise<void> {
    if (this.#closed.signal.aborted || this.#stream.write(`${line}\n`)) return
    await once(this.#stream, 'drain', { signal: this.#closed.signal }).catch(() => undefined)
  }

  /** Resolves when the reader has taken everything that was written, or has gone. */
  flush(): Promise<void> {
    return new Promise((resolve) => this.#stream.write('', () => resolve()))
  }
}
