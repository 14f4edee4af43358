import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { isAlive } from '../../work-directory.js'

/**
 * The downloads of this user: `${XDG_CACHE_HOME:-~/.cache}/dlr-mo-connector/<name>-<version>/`.
 *
 * An entry is filled under another name and renamed when it is complete, so that an interrupted download is never used.
 * Two processes may fill the same entry at the same time; the first one that finishes wins.
 */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  const xdg = env['XDG_CACHE_HOME']
  // The XDG specification demands that a relative path is ignored.
  return join(xdg && isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'dlr-mo-connector')
}

export function entryPath(name: string): string {
  return join(cacheRoot(), name)
}

export function isCached(name: string): boolean {
  return existsSync(entryPath(name))
}

/** The folder of the entry. If it does not exist, `fill` is called with an empty folder. */
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

/** Deletes the folders of processes that were killed during a download. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(cacheRoot())) {
    const pid = /^\.unfinished-(\d+)-/.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) {
      await rm(join(cacheRoot(), name), { recursive: true, force: true })
    }
  }
}
