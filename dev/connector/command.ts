/** The product's command, run as its users run it. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { spawnGuarded, type GuardedChild } from '../guarded-child.js'

const PROGRAM = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
/** Milliseconds; far more than any command needs that ends by itself. */
const PATIENCE = 50_000

export interface CommandResult {
  /** Undefined when it had to be killed. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

export interface Where {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

/** What a shell may have set for the product is not for tests. */
const environment = (more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv => {
  const inherited = { ...process.env }
  delete inherited['CONNECTOR_CONFIG']
  return { ...inherited, ...more }
}

/** For commands that end by themselves. */
export function runCommand(args: readonly string[], { cwd, env }: Where): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      cwd,
      env: environment(env),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: PATIENCE,
      killSignal: 'SIGKILL',
    })
    const output = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? undefined, ...output }))
  })
}

/** For commands that go on until they are told to end; standard output and error go to `program.log` in `cwd`. */
export const startCommand = (args: readonly string[], { cwd, env }: Where): Promise<GuardedChild> =>
  spawnGuarded(process.execPath, [PROGRAM, ...args], { cwd, env: environment(env), log: join(cwd, 'program.log') })
