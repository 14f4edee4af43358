import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { spawnGuarded } from '../guarded-child.js'
import type { GuardedChild } from '../guarded-child.js'
import { retryFor } from '../wait.js'
import { fromCheckout } from './program.js'
import type { Program } from './program.js'

const READY_TIMEOUT_MS = 20_000

export interface ConnectorAddresses {
  readonly callbacksPort: number
  readonly adminPort: number
}

/**
 * A placeholder in a configuration for the number of the connector process, counted from 1. In the address of a simulated
 * queue it shows which process sent a request, because a request of a killed process may still lie in a socket when the
 * next process has begun to send.
 */
export const PROCESS_NUMBER = '${DLRMO_PROCESS:-0}'

export interface LaunchOptions {
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>
}

/** A line of the connector's log. */
export interface LogLine extends Record<string, unknown> {
  readonly level: string
  readonly msg: string
}

/** The part of `/status.json` that tests look at. */
export interface ConnectorStatus {
  readonly ready: boolean
  readonly publishing: { readonly state: string; readonly reason: string | null; readonly code: string | null }
  readonly registry: { readonly state: string; readonly reason: string | null }
  readonly journal: { readonly entries: number; readonly refusal: string | null; readonly oldestAgeSeconds: number }
  readonly problems: readonly {
    readonly source: string | null
    readonly title: string
    readonly reason: string
    readonly action: string
    readonly runbook: string
  }[]
  readonly sources: readonly {
    readonly source: string
    readonly pull: { readonly state: string; readonly lastError: string | null } | null
    readonly replays: { readonly handedIn: number; readonly items: Readonly<Record<string, number>> }
  }[]
}

/**
 * The connector as its users run it: a process of its own with a configuration file. The folder holds configuration and
 * log, and is the working directory of the process.
 */
export class ConnectorProcess {
  readonly logFile: string
  readonly addresses: ConnectorAddresses
  readonly adminUrl: string
  readonly #folder: string
  readonly #program: Program
  #child: GuardedChild | undefined
  #launches = 0

  private constructor(folder: string, addresses: ConnectorAddresses, program: Program) {
    this.#folder = folder
    this.#program = program
    this.addresses = addresses
    this.adminUrl = `http://127.0.0.1:${addresses.adminPort}`
    this.logFile = join(folder, 'connector.log')
  }

  /** @param configuration the complete configuration, which is written to `connector.yaml` in the folder */
  static async configure(
    folder: string,
    addresses: ConnectorAddresses,
    configuration: Record<string, unknown>,
    program: Program = fromCheckout,
  ): Promise<ConnectorProcess> {
    await writeFile(join(folder, 'connector.yaml'), stringify(configuration))
    await program.prepare(folder)
    return new ConnectorProcess(folder, addresses, program)
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Undefined while the process runs, and before the first start. */
  get exitCode(): number | undefined {
    return this.#child?.exitCode
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === undefined
  }

  /** Resolves as soon as the process exists, whether or not it becomes ready. */
  async launch({ env = {} }: LaunchOptions = {}): Promise<GuardedChild> {
    const [command, args] = this.#program.launch(this.#folder)
    this.#launches++
    this.#child = await spawnGuarded(command, args, {
      log: this.logFile,
      cwd: this.#folder,
      env: { ...process.env, DLRMO_PROCESS: String(this.#launches), ...env },
    })
    return this.#child
  }

  /**
   * Resolves when the process takes callbacks.
   * @throws Error with the end of its log when it ends, or is not ready in time
   */
  async start(options: LaunchOptions = {}): Promise<GuardedChild> {
    const child = await this.launch(options)
    const url = `${this.adminUrl}/readyz`
    const assertRunning = (): void => {
      if (child.exitCode !== undefined) throw new Error(`the process ended with code ${child.exitCode}`)
    }
    try {
      await retryFor(
        async () => {
          const answer = await fetch(url, { signal: AbortSignal.timeout(1_000) })
          if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`)
        },
        READY_TIMEOUT_MS,
        assertRunning,
      )
      return child
    } catch (error) {
      throw new ConnectorStartError(`The connector did not start: ${String(error)}\n${await this.endOfLog()}`, {
        cause: error,
      })
    }
  }

  /** Ends the process with SIGKILL. */
  async kill(): Promise<void> {
    if (this.#child === undefined || this.#child.exitCode !== undefined) return
    await this.#program.kill(this.#child)
    await this.#child.exited
  }

  /** Sends SIGTERM, and resolves with the exit code. */
  async terminate(): Promise<number> {
    this.#child?.signal('SIGTERM')
    return (await this.#child?.exited) ?? 0
  }

  /** The value of one metric. @param name with labels as `/metrics` writes them; 0 if there is none */
  async metric(name: string): Promise<number> {
    const line = (await this.#metricLines()).find((each) => each.startsWith(`${name} `))
    return Number(line?.slice(name.length + 1) ?? 0)
  }

  /** The sum of a metric over all its labels. */
  async sum(name: string): Promise<number> {
    const lines = (await this.#metricLines()).filter(
      (each) => each.startsWith(`${name}{`) || each.startsWith(`${name} `),
    )
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  /** The content of `/status.json`. */
  async status(): Promise<ConnectorStatus> {
    const answer = await fetch(`${this.adminUrl}/status.json`)
    return (await answer.json()) as ConnectorStatus
  }

  async log(): Promise<LogLine[]> {
    const text = await readFile(this.logFile, 'utf8').catch(() => '')
    const lines = text.split('\n').filter((line) => line.startsWith('{'))
    return lines.map((line) => JSON.parse(line) as LogLine)
  }

  async endOfLog(lines = 20): Promise<string> {
    const log = await readFile(this.logFile, 'utf8').catch(() => '')
    return `--- end of the connector's log ---\n${log.trimEnd().split('\n').slice(-lines).join('\n')}`
  }

  async #metricLines(): Promise<string[]> {
    const answer = await fetch(`${this.adminUrl}/metrics`)
    return (await answer.text()).split('\n')
  }
}

/** The connector ended during its start, or did not become ready in time. */
export class ConnectorStartError extends Error {
  override readonly name = 'ConnectorStartError'
}
