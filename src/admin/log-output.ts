/**
 * Writes the lines of the log to standard output without ever waiting for its reader.
 *
 * A line is written at once, so that it survives even if the process is killed right after. What the reader does not take
 * is kept in memory and tried again. When the memory that is set aside is full, further lines are dropped and counted
 * until all that was kept is written; then the log says how many are missing.
 *
 * pino's own destination does not serve. In its synchronous mode a full pipe blocks the process: the pipe is either
 * blocking, or it answers EAGAIN and sonic-boom 4 sleeps on the main thread. In its asynchronous mode a thread of libuv
 * waits in write(2), and Node.js joins that thread when it exits, so that `process.exit` never returns.
 */
import { constants, fstatSync, openSync, writeSync } from 'node:fs'
import type { DestinationStream } from 'pino'
import type { Clock } from '../core/clock.js'
import { Backoff } from '../core/retry.js'

export interface LogOutputDeps {
  /**
   * Writes as many of the bytes as the reader takes now, and returns their number.
   * @throws Error with `code` EAGAIN if it takes none, and with another code if it can't be written to
   */
  readonly writeNow: (bytes: Uint8Array) => number
  /** Waits on the main thread; used only while the process exits. */
  readonly block: (ms: number) => void
  readonly clock: Clock
}

/** Lines that wait for the reader use at most this much memory. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024
const RETRY_DELAYS = { firstMs: 1, longestMs: 250 }
/** How often the lines that wait are tried while the process exits. */
const EXIT_RETRY_INTERVAL_MS = 10
/** How long the exit waits for a reader that takes nothing. */
const EXIT_STALLED_AFTER_MS = 500
/** How long the exit waits for a reader that is slow. */
const EXIT_TIMEOUT_MS = 3_000

export class LogOutput implements DestinationStream {
  readonly #deps: LogOutputDeps
  readonly #waiting: Uint8Array[] = []
  #waitingBytes = 0
  /** Lines that were dropped since the log last said how many are missing. */
  #missing = 0
  #dropped = 0
  /** Called with the number of missing lines when lines are written again. It may log. */
  onResumed: (missing: number) => void = () => undefined
  /** Called with each line, also with those that are dropped. It must neither wait nor throw. */
  onLine: (line: string) => void = () => undefined

  constructor(deps: LogOutputDeps) {
    this.#deps = deps
  }

  /** The number of lines that were dropped since the start. */
  get droppedLines(): number {
    return this.#dropped
  }

  write(line: string): void {
    this.onLine(line)
    const bytes = Buffer.from(line)
    // Once a line is missing, the next ones are dropped too, so that the gap is one and the log can say where it is.
    const isTooMuch = this.#waiting.length > 0 && this.#waitingBytes + bytes.byteLength > MAX_WAITING_BYTES
    if (this.#missing > 0 || isTooMuch) {
      this.#missing++
      this.#dropped++
      return
    }
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.byteLength
    if (this.#waiting.length > 1) return
    this.#writeWaiting()
    if (this.#waiting.length > 0) void this.#retryUntilWritten()
  }

  /** Writes what still waits, for as long as the reader takes it. Called when the process exits. */
  flush(): void {
    const { block, clock } = this.#deps
    const startedAt = clock.monotonic()
    let progressAt = startedAt
    for (;;) {
      const before = this.#waitingBytes
      const isWritable = this.#writeWaiting()
      if (this.#waiting.length === 0 && this.#missing === 0) return
      const now = clock.monotonic()
      if (this.#waitingBytes < before) progressAt = now
      if (this.#waiting.length === 0) this.#resume()
      else if (!isWritable || now - progressAt > EXIT_STALLED_AFTER_MS || now - startedAt > EXIT_TIMEOUT_MS) return
      else block(EXIT_RETRY_INTERVAL_MS)
    }
  }

  async #retryUntilWritten(): Promise<void> {
    const backoff = new Backoff(RETRY_DELAYS)
    while (this.#waiting.length > 0) {
      await this.#deps.clock.sleep(backoff.next())
      const before = this.#waitingBytes
      this.#writeWaiting()
      if (this.#waitingBytes < before) backoff.reset()
    }
    if (this.#missing > 0) this.#resume()
  }

  /** Writes what the reader takes. @returns false if standard output can't be written to, for example EPIPE or ENOSPC */
  #writeWaiting(): boolean {
    try {
      for (;;) {
        const [first] = this.#waiting
        if (first === undefined) return true
        const written = this.#deps.writeNow(first)
        this.#waitingBytes -= written
        if (written === first.byteLength) this.#waiting.shift()
        else this.#waiting[0] = first.subarray(written)
      }
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EAGAIN'
    }
  }

  #resume(): void {
    const missing = this.#missing
    this.#missing = 0
    this.onResumed(missing)
  }
}

/** Opens standard output for a log. What waits when the process exits is still written if there is a reader. */
export function openLogOutput(clock: Clock): LogOutput {
  const descriptor = openNonBlocking()
  const sleeper = new Int32Array(new SharedArrayBuffer(4))
  const output = new LogOutput({
    writeNow: (bytes) => writeSync(descriptor, bytes),
    block: (ms) => void Atomics.wait(sleeper, 0, 0, ms),
    clock,
  })
  process.once('exit', () => output.flush())
  return output
}

/**
 * Returns a descriptor of standard output on which a write never waits.
 *
 * O_NONBLOCK is a property of the open file, which other processes of the same pipeline may share. A pipe or a terminal is
 * therefore opened a second time where the system has /proc.
 */
function openNonBlocking(): number {
  const standardOutput = 1
  if (fstatSync(standardOutput).isFile()) return standardOutput
  try {
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
    return openSync(`/proc/self/fd/${standardOutput}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    // A socket can't be opened again, nor can a pipe that belongs to another user. Node.js makes both non-blocking when
    // this property is read for the first time. (It leaves a terminal blocking.)
    void process.stdout
    return standardOutput
  }
}
