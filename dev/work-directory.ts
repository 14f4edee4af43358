import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const WORK_DIRECTORY = /^dlrmo-(?:stack|trial)-(\d+)-/

/**
 * Creates a folder for the data and logs of one stack or trial. Its name contains the id of this process, so that the next
 * call removes the folders that killed processes have left behind.
 */
export async function workDirectory(kind: 'stack' | 'trial'): Promise<string> {
  for (const name of await readdir(tmpdir())) {
    const pid = WORK_DIRECTORY.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(tmpdir(), name), { recursive: true, force: true })
  }
  return mkdtemp(join(tmpdir(), `dlrmo-${kind}-${process.pid}-`))
}

/** Whether there is a process with this id, including the processes of other users. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
