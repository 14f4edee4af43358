import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/**
 * A process that can't outlive us, however we end.
 *
 * Between us and it stands a shell that holds the read end of a pipe whose only writer we are. When we die, by SIGKILL
 * too, the kernel closes our end, the shell reads end-of-file and kills the process. The shell has a session of its own,
 * so a Ctrl-C in the terminal reaches us alone and we decide in which order things end.
 */
export interface GuardedChild {
  /** Of the process itself, not of the shell. */
  readonly pid: number
  /** Resolves with the exit code (128 + signal when killed) and never rejects. */
  readonly exited: Promise<number>
  readonly exitCode: number | undefined
  /** No error when the process is gone already. */
  signal(name: NodeJS.Signals): void
}

const GUARD = `
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

export interface GuardedOptions {
  /** Standard output and error are appended to this file. */
  log: string
  cwd?: string
  env?: NodeJS.ProcessEnv
}

export async function spawnGuarded(command: string, args: string[], options: GuardedOptions): Promise<GuardedChild> {
  const shell = spawn('sh', ['-c', GUARD, 'guard', options.log, command, ...args], {
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
  // Writing never happens; an error of this pipe means that the shell is gone, and `exited` says that.
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
      // Only while the shell waits for it is the pid surely still this process's.
      if (exitCode !== undefined) return
      try {
        process.kill(pid, name)
      } catch {
        // Gone between the two lines.
      }
    },
  }
}
