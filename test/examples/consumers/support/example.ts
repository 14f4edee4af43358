/** Runs the examples of consumers as their readers do: a process that is configured by its environment. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Trial } from '../../../../dev/trial.js'

export const EXAMPLES = fileURLToPath(new URL('../../../../examples/consumers', import.meta.url))

export const SCHEMAS = fileURLToPath(new URL('../../../../schemas', import.meta.url))

export interface Command {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

/** The variables of examples/consumers/README.md. */
export const environmentOf = ({ stack, topics, name }: Trial, group: string): NodeJS.ProcessEnv => ({
  KAFKA_BROKERS: stack.brokers.join(','),
  SCHEMA_REGISTRY_URL: stack.registryUrl,
  DLR_TOPIC: topics.dlr,
  MO_TOPIC: topics.mo,
  DEAD_LETTER_TOPIC: topics.deadLetter,
  GROUP_ID: `${name}-${group}`,
})

/**
 * Starts an example, and stops it by SIGTERM after it has printed so many lines.
 * @returns the lines
 * @throws Error with what the example wrote to standard error, if it ends before or with another code than 0
 */
export async function runExample({ command, args, cwd, env }: Command, lineCount: number): Promise<string[]> {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error))
  const lines: string[] = []
  const errors: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    if (lines.length === lineCount) child.kill('SIGTERM')
  })
  createInterface({ input: child.stderr }).on('line', (line) => errors.push(line))
  const killTimer = setTimeout(() => child.kill('SIGKILL'), RUN_TIMEOUT_MS)
  try {
    const [code, signal] = await Promise.race([closed, failed])
    const isStopped = code === 0 || code === JVM_STOPPED_BY_SIGTERM
    if (isStopped && lines.length >= lineCount) return lines
    const end = `ended with ${signal ?? `code ${code}`} after ${lines.length} of ${lineCount} lines`
    throw new Error(`${command} ${args.join(' ')} ${end}:\n${errors.slice(-50).join('\n')}`)
  } finally {
    clearTimeout(killTimer)
  }
}

/** The exit code of a JVM after its shutdown hooks. */
const JVM_STOPPED_BY_SIGTERM = 143
const RUN_TIMEOUT_MS = 120_000
