/** Child processes of the benchmark that answer one request after the other, so that each has its own CPU time and memory. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

type Answer<Reply> = { readonly reply: Reply } | { readonly error: string }

export class BenchChild<Request, Reply> {
  readonly #child: ChildProcess
  readonly #name: string

  private constructor(child: ChildProcess, name: string) {
    this.#child = child
    this.#name = name
  }

  /**
   * Resolves when the child is ready, with what `serveParent` was given.
   * @param program a file in this folder
   * @param settings the argument of the child, as JSON
   */
  static async start<Request, Reply, Ready = undefined>(
    program: string,
    settings: unknown,
  ): Promise<{ child: BenchChild<Request, Reply>; ready: Ready }> {
    const forked = fork(fileURLToPath(new URL(program, import.meta.url)), [JSON.stringify(settings)], {
      execArgv: ['--import', 'tsx'],
      serialization: 'advanced',
    })
    const child = new BenchChild<Request, Reply>(forked, program)
    return { child, ready: await child.#nextReply<Ready>() }
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** @throws Error with the error of the child, or when the child ends */
  async request(request: Request): Promise<Reply> {
    const reply = this.#nextReply<Reply>()
    this.#child.send(request as object)
    return reply
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  async #nextReply<T>(): Promise<T> {
    const end = new AbortController()
    const failed = once(this.#child, 'exit', { signal: end.signal }).then(([code]) => {
      throw new Error(`${this.#name} ended with code ${code}`)
    })
    failed.catch(() => undefined)
    try {
      const [answer] = (await Promise.race([once(this.#child, 'message', { signal: end.signal }), failed])) as [
        Answer<T>,
      ]
      if ('error' in answer) throw new Error(`${this.#name}: ${answer.error}`)
      return answer.reply
    } finally {
      end.abort()
    }
  }
}

export const settingsFromParent = <T>(): T => JSON.parse(process.argv[2]!) as T

/** Called in the child: reports that it is ready, and answers requests until the parent ends or kills it. */
export function serveParent<Request, Reply>(ready: unknown, handle: (request: Request) => Promise<Reply>): void {
  const send = (answer: Answer<unknown>): void => void process.send?.(answer)
  process.on('disconnect', () => process.exit(0))
  process.on('message', (request: Request) => {
    handle(request).then(
      (reply) => send({ reply }),
      (error: unknown) => send({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
  })
  send({ reply: ready })
}
