import { readFile } from 'node:fs/promises'
import { StackError } from '../types.js'
import { spawnGuarded } from '../../guarded-child.js'
import type { GuardedChild } from '../../guarded-child.js'

const START_PATIENCE_MS = 90_000

export interface JvmServerPlan {
  /** For people: `Kafka`. */
  name: string
  java: string
  /** Arguments of the Java command. */
  args: string[]
  log: string
  /** Resolves once it serves requests; calls `gaveUp` between attempts, which throws when the process has ended. */
  ready: (patienceMs: number, gaveUp: () => void) => Promise<void>
}

/** One JVM that can be started, killed, paused and started again with the same plan. */
export class JvmServer {
  readonly #plan: JvmServerPlan
  #child: GuardedChild | undefined

  constructor(plan: JvmServerPlan) {
    this.#plan = plan
  }

  get pid(): number | undefined {
    return this.#child?.exitCode === undefined ? this.#child?.pid : undefined
  }

  /** @throws StackError with the end of its log when it ends, or isn't ready in time. */
  async start(): Promise<void> {
    await this.kill()
    const child = await spawnGuarded(this.#plan.java, this.#plan.args, { log: this.#plan.log })
    this.#child = child
    try {
      await this.#plan.ready(START_PATIENCE_MS, () => {
        if (child.exitCode !== undefined) throw new StackError(`ended with code ${child.exitCode}`)
      })
    } catch (error) {
      await this.kill()
      const reason = error instanceof Error ? error.message : String(error)
      throw new StackError(`${this.#plan.name} did not start: ${reason}\n${await this.#endOfLog()}`)
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
    return `--- end of its log ---\n${log.trimEnd().split('\n').slice(-25).join('\n')}`
  }
}

/** Whether a failed start may go better with another port. */
export function portWasTaken(error: unknown): boolean {
  return (
    error instanceof StackError &&
    /address already in use|BindException|Port \d+ seems to be in use/i.test(error.message)
  )
}
