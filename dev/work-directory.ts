import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const OURS = /^dlrmo-(?:stack|demo|trial)-(\d+)-/

/**
 * A new folder for the data and logs of one stack, demo or trial. Its name carries our pid: what a process that was killed
 * left behind is removed by the next one.
 */
export async function workDirectory(kind: 'stack' | 'demo' | 'trial'): Promise<string> {
  for (const name of await readdir(tmpdir())) {
    const pid = OURS.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(tmpdir(), name), { recursive: true, force: true })
  }
  return mkdtemp(join(tmpdir(), `dlrmo-${kind}-${process.pid}-`))
}

/** Whether a process of this number exists; one of another user counts. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
