import { readFile, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { StackError } from '../types.js'
import type { Download } from './downloads.js'
import { spawnGuarded } from '../../guarded-child.js'

/**
 * Runs Maven goals in `folder`. The settings of the user (mirrors, proxies) apply.
 *
 * The local repository is a folder that is deleted afterwards: two processes of Maven 3 cannot fill the same repository at
 * the same time, and a copy of a broker in `~/.m2` would be useless.
 * @param download shows how many bytes have arrived
 * @throws StackError with the errors that Maven printed
 */
export async function maven(folder: string, args: string[], download: Download): Promise<void> {
  const repository = join(folder, '.m2')
  const log = join(folder, '.maven.log')
  const child = await spawnGuarded('mvn', ['--batch-mode', `-Dmaven.repo.local=${repository}`, ...args], {
    log,
    cwd: folder,
  })
  download.measureBy(() => sizeOf(repository))
  const code = await child.exited
  if (code !== 0) {
    const output = await readFile(log, 'utf8').catch(() => '')
    const errors = output.split('\n').filter((line) => line.startsWith('[ERROR]'))
    const shown = (errors.length > 0 ? errors.slice(0, 5) : output.split('\n').slice(-10)).join('\n')
    throw new StackError(`Maven could not download ${download.what} (exit code ${code}):\n${shown}`)
  }
  await download.finish()
  await rm(repository, { recursive: true, force: true })
  await rm(log, { force: true })
}

/** The size of all files in a folder. Files that Maven renames meanwhile are not counted. */
async function sizeOf(folder: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) bytes += await sizeOf(path)
    else bytes += (await stat(path).catch(() => ({ size: 0 }))).size
  }
  return bytes
}
