/** C libraries that are loaded into a process before the C library (`LD_PRELOAD`), to stand between it and the disk. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Fails writes of the journal as long as a file demands it; see `failing-disk.c`. */
export const FAILING_DISK_SOURCE = new URL('failing-disk.c', import.meta.url)

/** @returns the path of the library, in a folder that `removeLibrary` deletes @throws Error without a C compiler */
export function compileLibrary(source: URL): string {
  const library = join(mkdtempSync(join(tmpdir(), 'dlrmo-library-')), 'preload.so')
  const args = ['-shared', '-fPIC', '-O2', '-o', library, fileURLToPath(source), '-ldl', '-lpthread']
  execFileSync('cc', args, { stdio: 'ignore' })
  return library
}

export const removeLibrary = (library: string): void => rmSync(dirname(library), { recursive: true, force: true })

/** Why no library can be compiled and preloaded on this machine; null if it can. */
export const compilerProblem = ((): string | null => {
  if (process.platform !== 'linux') return 'preloading a library needs Linux'
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' })
    return null
  } catch {
    return 'preloading a library needs a C compiler'
  }
})()
