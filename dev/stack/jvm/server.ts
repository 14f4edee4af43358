import { readFile } from 'node:fs/promises'
import { StackError } from '../types.js'
import { spawnGuarded } from '../../guarded-child.js'
import type { GuardedChild } from '../../guarded-child.js'

const START_TIMEOUT_MS = 90_000
/** What Kafka and Apicurio Registry log when another process has their port. */
const PORT_CONFLICT = /address already in use|BindException|Port \d+ seems to be in use/i

/** A server did not start because another process has its port. */
export class PortConflictError extends StackError {}

export interface JvmServerPlan {
  /** For people: `Kafka`. */
  name: string
  java: string
  /** Arguments of the Java command. */
  args: string[]
  log: string
  /** Resolves once the server answers requests. Calls `assertRunning`, which throws, between its attempts. */
  ready: (timeoutMs: number, assertRunning: () => void) => Promise<void>
}

/** A JVM that can be started, killed, paused and started again in the same way. */
export class JvmServer {
  readonly #plan: JvmServerPlan
  #child: GuardedChild | undefined

  constructor(plan: JvmServerPlan) {
    this.#plan = plan
  }

  get pid(): number | undefined {
    return this.#child?.exitCode === undefined ? this.#child?.pid : undefined
  }

  /** @throws StackError with the end of the log when the process ends, or is not ready in time */
  async start(): Promise<void> {
    await this.kill()
    const child = await spawnGuarded(this.#plan.java, this.#plan.args, { log: this.#plan.log })
    this.#child = child
    try {
      await this.#plan.ready(START_TIMEOUT_MS, () => {
        if (child.exitCode !== undefined) throw new StackError(`the process ended with code ${child.exitCode}`)
      })
    } catch (error) {
      await this.kill()
      const reason = error instanceof Error ? error.message : String(error)
      const log = await this.#endOfLog()
      const StartError = PORT_CONFLICT.test(log) ? PortConflictError : StackError
      throw new StartError(`${this.#plan.name} did not start: ${reason}\n${log}`)
    }
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.#child?.exited
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.signal(name)
  }

  async #endOfLog(): Promise<string> {
    const log = await readFile(this.#plan.log, 'utf8').catch(() => '')
    return `--- end of ${this.#plan.log} ---\n${log.trimEnd().split('\n').slice(-25).join('\n')}`
  }
}
