import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { spawnGuarded } from '../guarded-child.js'
import type { GuardedChild } from '../guarded-child.js'
import { retryFor } from '../wait.js'
import { fromCheckout } from './program.js'
import type { Program } from './program.js'

const READY_PATIENCE_MS = 20_000

export interface ConnectorAddresses {
  callbacksPort: number
  adminPort: number
}

/**
 * In a configuration: which process of this connector it is, from 1. In the address of a simulated queue it tells whose a
 * request is: one may still lie in its socket when the process that made it has been killed and the next one begun.
 */
export const PROCESS_NUMBER = '${DLRMO_PROCESS:-0}'

/** Beside what its users give it. */
export interface LaunchOptions {
  /** On top of our own environment. */
  env?: Readonly<Record<string, string>>
}

/** The connector as its users run it: a process of its own, a configuration file, a journal in a folder. */
export class ConnectorProcess {
  readonly logFile: string
  readonly addresses: ConnectorAddresses
  readonly #folder: string
  readonly #program: Program
  #child: GuardedChild | undefined
  #launched = 0

  private constructor(folder: string, addresses: ConnectorAddresses, program: Program) {
    this.#folder = folder
    this.#program = program
    this.addresses = addresses
    this.logFile = join(folder, 'connector.log')
  }

  /** @param configuration the whole of it; becomes `connector.yaml` in the folder, which is its working directory too */
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

  /** Undefined while it runs. */
  get exitCode(): number | undefined {
    return this.#child?.exitCode
  }

  /** Resolves as soon as there is a process, whatever becomes of it. */
  async launch({ env = {} }: LaunchOptions = {}): Promise<GuardedChild> {
    const [command, args] = this.#program.launch(this.#folder)
    this.#child = await spawnGuarded(command, args, {
      log: this.logFile,
      cwd: this.#folder,
      env: { ...process.env, DLRMO_PROCESS: String(++this.#launched), ...env },
    })
    return this.#child
  }

  /**
   * Resolves when it takes callbacks.
   *
   * @throws Error with the end of its log when it ends, or isn't ready in time.
   */
  async start(options: LaunchOptions = {}): Promise<GuardedChild> {
    const child = await this.launch(options)
    const url = `http://127.0.0.1:${this.addresses.adminPort}/readyz`
    try {
      await retryFor(
        async () => {
          const answer = await fetch(url, { signal: AbortSignal.timeout(1_000) })
          if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`)
        },
        READY_PATIENCE_MS,
        () => {
          if (child.exitCode !== undefined) throw new Error(`it ended with code ${child.exitCode}`)
        },
      )
      return child
    } catch (error) {
      throw new Error(`The connector did not start: ${String(error)}\n${await this.endOfLog()}`, { cause: error })
    }
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    if (this.#child === undefined || this.#child.exitCode !== undefined) return
    await this.#program.kill(this.#child)
    await this.#child.exited
  }

  /** Asks it to end, as an orchestrator would; resolves with its exit code. */
  async terminate(): Promise<number> {
    this.#child?.signal('SIGTERM')
    return (await this.#child?.exited) ?? 0
  }

  async endOfLog(lines = 20): Promise<string> {
    const log = await readFile(this.logFile, 'utf8').catch(() => '')
    return `--- end of its log ---\n${log.trimEnd().split('\n').slice(-lines).join('\n')}`
  }
}
