/** `prometheus` and `promtool`, which must be on the PATH. Debian's package `prometheus` contains both. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * Runs promtool.
 * @returns what it printed, and whether it found no fault
 * @throws Error if it is not installed
 */
export async function promtool(...args: string[]): Promise<{ isOk: boolean; output: string }> {
  try {
    const { stdout, stderr } = await run('promtool', args)
    return { isOk: true, output: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout: string; stderr: string }
    if (code === 'ENOENT') throw new Error(NOT_INSTALLED, { cause: error })
    return { isOk: false, output: stdout + stderr }
  }
}

export const NOT_INSTALLED =
  'The tests of monitoring/ need prometheus and promtool on the PATH. On Debian: apt-get install prometheus'
