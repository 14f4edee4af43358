/** Runs the commands of the connector as its users do. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { spawnGuarded, type GuardedChild } from '../guarded-child.js'
import { MAIN } from './program.js'

/** A command that ends by itself does so in far less time. */
const TIMEOUT_MS = 50_000

export interface CommandResult {
  /** Undefined if the command did not end in time and was killed. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

/** The environment of this process, without what a shell may have set for the connector. */
const environment = (more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv => {
  const inherited = { ...process.env }
  delete inherited['CONNECTOR_CONFIG']
  return { ...inherited, ...more }
}

/** Runs a command that ends by itself. */
export function runCommand(args: readonly string[], { cwd, env }: CommandOptions): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd,
      env: environment(env),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    })
    const output = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? undefined, ...output }))
  })
}

/** Starts a command that runs until it is ended. Its output goes to `program.log` in the working directory. */
export const startCommand = (args: readonly string[], { cwd, env }: CommandOptions): Promise<GuardedChild> =>
  spawnGuarded(process.execPath, [MAIN, ...args], { cwd, env: environment(env), log: join(cwd, 'program.log') })
