/** Standard output and standard error of commands. Everything that a command prints passes through here, without secrets. */
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { orAborted } from '../core/abort.js'
import { escapeControlsInLines } from '../masking/control-characters.js'
import { hideSecretsInOutput } from '../masking/known-secrets.js'
import { personalDataMask } from '../masking/personal-data.js'

/** Aborts when nobody reads a stream any more, by stream: each stream has one listener for errors, however much is written. */
const closedSignals = new WeakMap<Writable, AbortSignal>()

function closedSignalOf(stream: Writable): AbortSignal {
  const known = closedSignals.get(stream)
  if (known !== undefined) return known
  const closed = new AbortController()
  // Without a listener an error would end the process. The usual one is EPIPE: `| head` has read enough. The listener stays,
  // because the error can follow the callback of the write that failed.
  stream.on('error', () => closed.abort())
  closedSignals.set(stream, closed.signal)
  return closed.signal
}

/**
 * Writes to standard output. Resolves when the reader has taken everything, or is gone: the process exits afterwards, and
 * Node.js would drop what a pipe has not taken by then.
 */
export async function printOutput(text: string): Promise<void> {
  const { stdout } = process
  const closedSignal = closedSignalOf(stdout)
  const taken = new Promise<void>((resolve) => stdout.write(present(text), () => resolve()))
  await orAborted(taken, closedSignal)
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
  /** Aborts when nobody reads any more. */
  readonly closedSignal: AbortSignal
  readonly #stream: Writable
  /** Settles when the reader has taken enough, or has gone. All lines that wait share it. */
  #drained: Promise<void> | undefined

  constructor(stream: Writable) {
    this.#stream = stream
    this.closedSignal = closedSignalOf(stream)
  }

  /** Resolves when the reader has taken enough of what was written, or has gone. */
  write(line: string): Promise<void> {
    return this.writeExactly(present(line))
  }

  /** The same for a line that must reach its reader as it is, secrets included: only an export of the journal. */
  async writeExactly(line: string): Promise<void> {
    if (this.closedSignal.aborted || this.#stream.write(`${line}\n`)) return
    this.#drained ??= this.#waitForDrain()
    await this.#drained
  }

  /** Resolves when the reader has taken everything that was written, or has gone. */
  flush(): Promise<void> {
    return new Promise((resolve) => this.#stream.write('', () => resolve()))
  }

  async #waitForDrain(): Promise<void> {
    await once(this.#stream, 'drain', { signal: this.closedSignal }).catch(() => undefined)
    this.#drained = undefined
  }
}
