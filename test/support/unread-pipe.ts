/** A pipe whose reader takes nothing until a test tells it to. */
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../dev/wait.js'

const CHUNK_BYTES = 64 * 1024

export class UnreadPipe {
  /** For the standard output of a child process. A write to it waits for the reader. */
  readonly writeEnd: number
  readonly #path: string
  readonly #readEnd: number
  #text = ''

  private constructor(path: string) {
    this.#path = path
    this.#readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    this.writeEnd = openSync(path, 'w')
  }

  /** @param folder holds the file of the pipe */
  static create(folder: string): UnreadPipe {
    const path = join(folder, 'pipe')
    execFileSync('mkfifo', [path])
    return new UnreadPipe(path)
  }

  /** Fills the pipe with spaces, so that not a single line fits into it. */
  fill(): void {
    const filler = openSync(this.#path, constants.O_WRONLY | constants.O_NONBLOCK)
    try {
      for (let bytes = CHUNK_BYTES; bytes > 0; bytes = Math.floor(bytes / 2)) writeUntilFull(filler, bytes)
    } finally {
      closeSync(filler)
    }
  }

  /** Reads until the condition holds for everything that was read, and returns that. */
  async readUntil(isOver: (text: string) => boolean): Promise<string> {
    await until(() => {
      this.#text += this.#readAvailable()
      return isOver(this.#text)
    })
    return this.#text
  }

  close(): void {
    closeSync(this.#readEnd)
    closeSync(this.writeEnd)
  }

  #readAvailable(): string {
    const chunk = Buffer.alloc(CHUNK_BYTES)
    let text = ''
    try {
      for (;;) {
        const count = readSync(this.#readEnd, chunk)
        if (count === 0) return text
        text += chunk.toString('latin1', 0, count)
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      return text
    }
  }
}

function writeUntilFull(descriptor: number, bytes: number): void {
  try {
    for (;;) writeSync(descriptor, Buffer.alloc(bytes, ' '))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
  }
}
