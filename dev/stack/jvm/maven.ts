import { readFile, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { StackError } from '../types.js'
import type { Download } from './downloads.js'
import { spawnGuarded } from '../../guarded-child.js'

/**
 * Runs Maven goals inside `folder`.
 *
 * With a local repository of its own, removed afterwards: Maven 3 doesn't keep two processes apart that fill the same
 * one, and `~/.m2` needs no copy of a broker. The user's settings (mirrors, proxies) apply.
 *
 * @param download told how many bytes have arrived
 * @throws StackError with the end of Maven's output.
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

/** Bytes of all files below; files that vanish meanwhile (Maven renames what is complete) don't count. */
async function sizeOf(folder: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) bytes += await sizeOf(path)
    else bytes += (await stat(path).catch(() => ({ size: 0 }))).size
  }
  return bytes
}
