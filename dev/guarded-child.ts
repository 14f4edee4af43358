import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/**
 * A child process that cannot outlive this process, however this process ends.
 *
 * A shell stands between the two. It holds the read end of a pipe whose only writer is this process. When this process
 * ends, even by SIGKILL, the kernel closes the pipe, the shell reads end-of-file and kills the child. The shell has a
 * session of its own, so that a Ctrl-C in the terminal reaches only this process, which decides about the order in which
 * everything ends.
 */
export interface GuardedChild {
  /** The id of the child itself, not of the shell. */
  readonly pid: number
  /** Resolves with the exit code (128 + signal if the child was killed), and never rejects. */
  readonly exited: Promise<number>
  readonly exitCode: number | undefined
  /** Does nothing if the child has ended. */
  signal(name: NodeJS.Signals): void
}

const GUARD_SCRIPT = `
log=$1; shift
exec 4<&0
"$@" </dev/null 4<&- >>"$log" 2>&1 &
child=$!
( read -r _ <&4; kill -9 "$child" ) >/dev/null 2>&1 &
guard=$!
exec 4<&-
echo "$child"
exec >/dev/null
wait "$child"
code=$?
kill "$guard" 2>/dev/null
exit "$code"
`

export interface GuardedChildOptions {
  /** The file to which standard output and standard error are appended. */
  log: string
  cwd?: string
  env?: NodeJS.ProcessEnv
}

/** @throws Error when the command cannot be started */
export async function spawnGuarded(
  command: string,
  args: string[],
  options: GuardedChildOptions,
): Promise<GuardedChild> {
  const shell = spawn('sh', ['-c', GUARD_SCRIPT, 'guard', options.log, command, ...args], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
    cwd: options.cwd,
    env: options.env ?? process.env,
  })
  let exitCode: number | undefined
  const exited = new Promise<number>((resolve) => {
    shell.once('exit', (code, signal) => {
      exitCode = code ?? (signal === null ? 1 : 137)
      shell.stdin.destroy()
      resolve(exitCode)
    })
  })
  // Nothing is ever written to the pipe. An error of the pipe means that the shell has ended, which `exited` reports.
  shell.stdin.on('error', () => undefined)
  const failed = once(shell, 'error').then(([error]) => Promise.reject(error as Error))
  failed.catch(() => undefined)

  const firstLine = once(createInterface({ input: shell.stdout }), 'line').then(([line]) => Number(line as string))
  const pid = await Promise.race([firstLine, failed])

  return {
    pid,
    exited,
    get exitCode() {
      return exitCode
    },
    signal(name) {
      // After the shell has ended, the id may belong to another process.
      if (exitCode !== undefined) return
      try {
        process.kill(pid, name)
      } catch {
        // The child ended just now.
      }
    },
  }
}
