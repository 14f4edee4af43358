import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { isAlive } from '../../work-directory.js'

/**
 * What was downloaded once, per user: `${XDG_CACHE_HOME:-~/.cache}/dlr-mo-connector/<name>-<version>/`.
 *
 * A folder of that name is complete: it is filled under another name and renamed when done, so an interrupted download
 * is never taken for a whole one. Two processes may fill the same entry at once; the first to finish wins.
 */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  const xdg = env['XDG_CACHE_HOME']
  // The XDG specification: a relative path there is to be ignored.
  return join(xdg && isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'dlr-mo-connector')
}

export function entryPath(name: string): string {
  return join(cacheRoot(), name)
}

export function isCached(name: string): boolean {
  return existsSync(entryPath(name))
}

/** The folder of the entry, filled by `fill(emptyFolder)` if it isn't there yet. */
export async function cached(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const home = entryPath(name)
  if (existsSync(home)) return home

  await mkdir(cacheRoot(), { recursive: true })
  await removeLeftovers()
  const unfinished = await mkdtemp(join(cacheRoot(), `.unfinished-${process.pid}-`))
  try {
    await fill(unfinished)
    await rename(unfinished, home).catch((error: unknown) => {
      if (!existsSync(home)) throw error
    })
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
  return home
}

/** Of processes that were killed while they downloaded. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(cacheRoot())) {
    const pid = /^\.unfinished-(\d+)-/.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) {
      await rm(join(cacheRoot(), name), { recursive: true, force: true })
    }
  }
}
