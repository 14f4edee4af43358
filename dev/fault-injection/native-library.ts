/** The C libraries that stand between the journal and the disk. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `disk`: dies at named steps, notes every write. `failing`: fails while a file says so. */
const SOURCES = {
  disk: new URL('../faults/preload/disk.c', import.meta.url),
  failing: new URL('./failing-disk.c', import.meta.url),
}

/** @returns the path of the library, in a folder of its own; for `remove`. @throws without a C compiler */
export function compile(name: keyof typeof SOURCES): string {
  const library = join(mkdtempSync(join(tmpdir(), 'dlrmo-faults-')), `${name}.so`)
  const args = ['-shared', '-fPIC', '-O2', '-o', library, fileURLToPath(SOURCES[name]), '-ldl', '-lpthread']
  execFileSync('cc', args, { stdio: 'ignore' })
  return library
}

export const remove = (library: string): void => rmSync(dirname(library), { recursive: true, force: true })

/** Why these faults can't be made here; null where they can. */
export const noCompiler = ((): string | null => {
  if (process.platform !== 'linux') return 'it takes Linux'
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' })
    return null
  } catch {
    return 'it takes a C compiler'
  }
})()
