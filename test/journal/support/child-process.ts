/** Runs a script as a process of its own. The script works on a journal and reports line by line what it did. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const running = new Set<ChildProcess>()

export interface ChildProcessOptions {
  /** The user and group of the process, where they are not those of the tests. */
  readonly uid?: number
  readonly gid?: number
  /** Variables that are added to the environment. */
  readonly env?: NodeJS.ProcessEnv
  /** Whether what the process writes to standard error is discarded, because it is expected. */
  readonly discardStderr?: boolean
}

export class ChildProcess {
  /** Every line that the process has written to standard output. */
  readonly lines: string[] = []
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  readonly #ended: Promise<unknown>
  readonly #watchers = new Set<() => void>()

  /** @param script a file in the folder of this one */
  constructor(script: string, args: readonly string[] = [], options: ChildProcessOptions = {}) {
    const { env, discardStderr = false, ...identity } = options
    const path = fileURLToPath(new URL(script, import.meta.url))
    this.#process = spawn(process.execPath, ['--import', 'tsx', path, ...args], {
      stdio: ['pipe', 'pipe', discardStderr ? 'ignore' : 'inherit'],
      env: { ...process.env, ...env },
      ...identity,
    })
    running.add(this)
    const lines = createInterface({ input: this.#process.stdout })
    lines.on('line', (line) => {
      this.lines.push(line)
      for (const watcher of this.#watchers) watcher()
    })
    this.#ended = Promise.all([once(this.#process, 'exit'), once(lines, 'close')]).then(() => {
      running.delete(this)
      for (const watcher of this.#watchers) watcher()
    })
  }

  /** Resolves with the nth line, counted from 1. Rejects if the process ends before it writes that line. */
  line(n: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const line = this.lines[n - 1]
        if (line === undefined && running.has(this)) return
        this.#watchers.delete(check)
        if (line === undefined) reject(new Error(`the process ended after ${this.lines.length} lines`))
        else resolve(line)
      }
      this.#watchers.add(check)
      check()
    })
  }

  /** Sends a command and resolves with the line that the process answers. */
  send(...words: string[]): Promise<string> {
    this.#process.stdin.write(`${words.join('\t')}\n`)
    return this.line(this.lines.length + 1)
  }

  /** Kills the process with SIGKILL. Resolves when the kernel has released everything that the process held. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended
  }

  /** Closes standard input, after which the process ends by itself, and waits for that. */
  async end(): Promise<void> {
    this.#process.stdin.end()
    await this.#ended
  }
}

export const killChildProcesses = async (): Promise<void> => {
  await Promise.all([...running].map((child) => child.kill()))
}
