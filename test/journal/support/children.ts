/** Real processes that work on a journal, and say line by line what they did. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const running = new Set<Child>()

export class Child {
  /** All that it has said. */
  readonly lines: string[] = []
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  readonly #ended: Promise<unknown>
  readonly #watchers = new Set<() => void>()

  /**
   * @param script a file beside this one
   * @param more who it runs as, what is added to its environment, and whether what it complains of is expected
   */
  constructor(
    script: string,
    args: readonly string[] = [],
    { env, quiet = false, ...identity }: { uid?: number; gid?: number; env?: NodeJS.ProcessEnv; quiet?: boolean } = {},
  ) {
    this.#process = spawn(
      process.execPath,
      ['--import', 'tsx', fileURLToPath(new URL(script, import.meta.url)), ...args],
      {
        stdio: ['pipe', 'pipe', quiet ? 'ignore' : 'inherit'],
        env: { ...process.env, ...env },
        ...identity,
      },
    )
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

  /** Its `n`th line, counted from 1. */
  line(n: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const line = this.lines[n - 1]
        if (line === undefined && running.has(this)) return
        this.#watchers.delete(look)
        if (line === undefined) reject(new Error(`the process ended after ${this.lines.length} lines`))
        else resolve(line)
      }
      this.#watchers.add(look)
      look()
    })
  }

  /** Tells it a command, and resolves with the line that it says next. */
  ask(...words: string[]): Promise<string> {
    this.#process.stdin.write(`${words.join('\t')}\n`)
    return this.line(this.lines.length + 1)
  }

  /** As if the power of this process failed. Resolves when the kernel has taken back all that it held. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended
  }

  /** Ends by itself once nobody talks to it. */
  async end(): Promise<void> {
    this.#process.stdin.end()
    await this.#ended
  }
}

export const killAll = async (): Promise<void> => {
  await Promise.all([...running].map((child) => child.kill()))
}
